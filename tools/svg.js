/** What the project's pictures share: they follow the reader's light or dark mode, on a page of their own colour. */

const LIGHT = { page: '#ffffff', ink: '#1f2328', soft: '#59636e', rule: '#d8dee4' };
const DARK = { page: '#0d1117', ink: '#f0f6fc', soft: '#a2abb5', rule: '#2b323b' };

/**
 * A whole picture.
 *
 * @param {{ width: number, height: number, title: string, desc: string, light: string, dark: string, body: string }} picture
 *   `light` and `dark` are rules of its own for either mode
 */
export function frame({ width, height, title, desc, light, dark, body }) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title desc">
<title id="title">${title}</title>
<desc id="desc">${desc}</desc>
<style>
text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif }
.title { font-size: 19px; font-weight: 600 }
.legend { font-size: 14px }
.number { font-weight: 700 }
${colours(LIGHT)}
${light}
@media (prefers-color-scheme: dark) {
${colours(DARK)}
${dark}
}
</style>
<rect class="page" width="${width}" height="${height}" rx="10"/>
<text class="title" x="24" y="36">${title}</text>
${body}
</svg>
`;
}

/** @param {typeof LIGHT} palette */
function colours({ page, ink, soft, rule }) {
  return `.page { fill: ${page} }
text { fill: ${soft} }
.title, .legend, .ink { fill: ${ink} }
.rule { stroke: ${rule} }
.axis { stroke: ${soft} }`;
}

/** @type {(name: string, x1: number, y1: number, x2: number, y2: number) => string} */
export function rule(name, x1, y1, x2, y2) {
  return `<line class="${name}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;
}

/** @type {(x: number, y: number, text: string | number, more?: string) => string} */
export function text(x, y, what, more = '') {
  return `<text x="${round(x)}" y="${round(y)}"${more && ` ${more}`}>${what}</text>`;
}

/** @param {number} n */
export function round(n) {
  return Math.round(n * 10) / 10;
}
