/** Installs what test/others runs, unless that is done. */
export function installOthers(): void;
