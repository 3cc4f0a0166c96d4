import { hold, say, type Stage } from "./stage.ts";

/** An open image of a guest. */
export interface Image {
  readonly id: string;
  readonly device: string;
  readonly inode: string;
}

/** Opens the image of a guest and reads its first bytes. */
export async function openImage(stage: Stage): Promise<Image> {
  say("\n# The guest's image is opened below a named root and read through the inode cache.");
  const opened = await stage.request("POST", "/v1/inodes", {
    json: { root: "images", path: "hello.bin", access: "ro", cache: "own", holder: "demo" },
  });
  hold(opened.status === 201, "the image is open");
  const head = await stage.request("GET", `/v1/inodes/${opened.body.id}/data`, {
    headers: { range: "bytes=0-15" },
  });
  hold(head.status === 206 && head.body.byteLength === 16, "its first 16 bytes are read");
  return opened.body;
}
