import type { AnonymousDeviceState } from "./anonymous/anonymous_device.ts";
import { IMAGE_VERSION } from "./image_form.ts";
import { recordOf } from "./host/host_records.ts";
import type { Mapping } from "./anonymous/mapping.ts";
import { deviceBody } from "./anonymous/records.ts";
import type { RegistryState } from "./registry.ts";

const ITEMS_PER_CHUNK = 1_000;

/** The JSON text of an image, in pieces, since it may have millions of mappings. */
export function* imageText({ anonymous, host }: RegistryState): Generator<string, void, void> {
  yield `{"version":${IMAGE_VERSION},"anonymous":{"lastMinor":"${anonymous.lastMinor}","devices":[`;
  for (const [at, device] of anonymous.devices.entries()) {
    if (at > 0) yield ",";
    yield* deviceText(device);
  }
  yield `]},"host":[`;
  yield* joined(host, (device) => JSON.stringify(recordOf(device)));
  yield "]}";
}

function* deviceText(device: AnonymousDeviceState): Generator<string, void, void> {
  yield `${JSON.stringify(deviceBody(device)).slice(0, -1)},"mappings":[`;
  yield* joined(device.mappings, tupleText);
  yield `],"retired":[`;
  yield* joined(device.retired, (inode) => `"${inode}"`);
  yield "]}";
}

function tupleText({ key: { device, secondaryDevice, inode }, virtualInode }: Mapping): string {
  const secondary = secondaryDevice === "" ? '""' : JSON.stringify(secondaryDevice);
  return `["${device}",${secondary},"${inode}","${virtualInode}"]`;
}

function* joined<Item>(
  items: readonly Item[],
  text: (item: Item) => string,
): Generator<string, void, void> {
  for (let at = 0; at < items.length; at += ITEMS_PER_CHUNK) {
    const chunk = items.slice(at, at + ITEMS_PER_CHUNK).map(text).join(",");
    yield at === 0 ? chunk : `,${chunk}`;
  }
}
