import type { Scopes } from "../generations/scopes.ts";

/** What the daemon joins. */
export interface InnkeeperParts {
  readonly scopes: Scopes;
}

/** The four parts joined: what one of them does to another happens here and nowhere else. */
export class Innkeeper {
  readonly scopes: Scopes;

  constructor(parts: InnkeeperParts) {
    this.scopes = parts.scopes;
  }

  /** Lets go of everything, after writing down what is still to be written. */
  async close(): Promise<void> {
    await this.scopes.close();
  }
}
