/** This daemon cannot use the state folder. */
export class StateFolderError extends Error {
  override readonly name = "StateFolderError";

  /** @param isDamage Whether something in it is damaged or missing */
  constructor(message: string, readonly isDamage = false) {
    super(message);
  }
}
