import { O_DIRECTORY, O_RDONLY } from "./constants.ts";
import { openPath } from "./descriptor.ts";
import { readDirents } from "./dirents.ts";
import type { Libc } from "./libc.ts";
import { OwnPage } from "./mount_pages.ts";

/** The pages that single programs map, in a folder of the daemon's own: `<number>-<scope>`. */
export class OwnPageFiles {
  readonly #libc: Libc;
  readonly #folder: string;
  #last: number;

  /** @param folder Existing, on tmpfs, and closed to others */
  constructor(libc: Libc, folder: string) {
    this.#libc = libc;
    this.#folder = folder;
    this.#last = Math.max(0, ...this.#names().map((name) => Number.parseInt(name) || 0));
  }

  createOwn(scope: string): OwnPage {
    return OwnPage.create(this.#libc, `${this.#folder}/${++this.#last}-${scope}`);
  }

  foundOwn(scope: string): readonly OwnPage[] {
    return this.#names().filter((name) => name.slice(name.indexOf("-") + 1) === scope)
      .map((name) => OwnPage.open(this.#libc, `${this.#folder}/${name}`));
  }

  #names(): string[] {
    using folder = openPath(this.#libc, this.#folder, O_RDONLY | O_DIRECTORY);
    return readDirents(folder).map(({ name }) => new TextDecoder().decode(name));
  }
}
