/**
 * The terminal's style sheets without inline styles, which the content security policy refuses: it is given a document whose `style` elements
 * are style sheets made by script, and whose `style` attributes are set through the object model.
 */

/** The document that a terminal draws in, and what ends its styles. */
export function quietDocument(): { document: Document; dispose: () => void } {
  const sheets = new Set<CSSStyleSheet>();

  function styleSheet(): HTMLElement {
    const sheet = new CSSStyleSheet();
    sheets.add(sheet);
    document.adoptedStyleSheets.push(sheet);
    const place = document.createElement('span');
    place.hidden = true;
    Object.defineProperty(place, 'textContent', { set: (css: string) => sheet.replaceSync(css) });
    return place;
  }

  function element(name: string): HTMLElement {
    if (name === 'style') return styleSheet();
    const made = document.createElement(name);
    const setAttribute = made.setAttribute.bind(made);
    made.setAttribute = (attribute, value) => {
      if (attribute === 'style') made.style.cssText = value;
      else setAttribute(attribute, value);
    };
    return made;
  }

  const proxy = new Proxy(document, {
    get(target, name) {
      if (name === 'createElement') return element;
      const member: unknown = Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
  return {
    document: proxy,
    dispose() {
      document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => !sheets.has(sheet));
    },
  };
}
