export const API_DOCS: string;
export function apiDocs(): { readonly text: string; readonly gaps: readonly string[] };
