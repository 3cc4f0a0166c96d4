/**
 * The parts that pages consist of. They are not in types.ts because that is also used where there
 * is no document.
 *
 * @module
 */

/** An element of the page, and how it follows its data. */
export interface View<Data> {
  readonly element: HTMLElement;
  update(data: Data): void;
}

/** A panel of the console while it is shown. */
export interface Panel {
  readonly element: HTMLElement;
  readonly title: string;
  /** Something happened to a scope; to any of them when no name is given. */
  changed(scope?: string): void;
  /** It is no longer shown. */
  stop(): void;
}
