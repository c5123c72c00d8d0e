/**
 * Styles as the content security policy lets scripts set them. The terminal writes `style` elements and `style` attributes, which are refused,
 * and makes all of its elements by `document.createElement`: while it is there, that makes elements whose style attributes are set through
 * the object model, and in the place of a `style` element one whose text is a style sheet of the page.
 */

/** Begins that; what is returned ends it, and the styles. */
export function withoutInlineStyles(): () => void {
  const sheets = new Set<CSSStyleSheet>();
  const make = document.createElement.bind(document);

  function styleSheet(): HTMLElement {
    const sheet = new CSSStyleSheet();
    sheets.add(sheet);
    document.adoptedStyleSheets.push(sheet);
    const place = make('span');
    place.hidden = true;
    Object.defineProperty(place, 'textContent', { set: (css: string) => sheet.replaceSync(css) });
    return place;
  }

  function element(name: string, options?: ElementCreationOptions): HTMLElement {
    if (name === 'style') return styleSheet();
    const made = make(name, options);
    const setAttribute = made.setAttribute.bind(made);
    made.setAttribute = (attribute, value) => {
      if (attribute === 'style') made.style.cssText = value;
      else setAttribute(attribute, value);
    };
    return made;
  }

  Object.defineProperty(document, 'createElement', { configurable: true, value: element });
  return () => {
    Reflect.deleteProperty(document, 'createElement');
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => !sheets.has(sheet));
  };
}
