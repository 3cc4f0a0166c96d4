/** The checkout that the tests look at. */
export const ROOT = new URL("../../", import.meta.url);

/** All files below a folder of the checkout, without asking git: a copy of the tree is tested too. */
export function filesBelow(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) =>
    isDirectory ? filesBelow(`${folder}${name}/`) : [`${folder}${name}`]
  );
}

/** The program's own TypeScript and JavaScript, as paths from the root. */
export function sources(): string[] {
  return ["mod.ts", ...["src/", "routes/", "examples/"].flatMap(filesBelow)]
    .filter((path) => /\.[jt]s$/.test(path) && !path.endsWith(".d.ts"));
}

export function textOf(path: string): string {
  return Deno.readTextFileSync(new URL(path, ROOT));
}
