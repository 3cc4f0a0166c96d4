/**
 * What the pages are put together from. Apart from the data, which is also read where there is no
 * document.
 *
 * @module
 */

/** Something on the page that is kept up to date. */
export interface View<Data> {
  readonly element: HTMLElement;
  update(data: Data): void;
}

/** A panel of the console while it is shown. */
export interface Panel {
  readonly element: HTMLElement;
  readonly title: string;
  /** Something happened to a scope; all of them when no name is given. */
  changed(scope?: string): void;
  /** It is no longer shown. */
  stop(): void;
}
