import type { Listener } from "../access/listener.ts";
import { Principal } from "../access/tokens.ts";
import { EXIT, ExitError } from "./exit.ts";
import { addressText, type ListenAddress } from "./listen_address.ts";

/** Any address of this host (VMADDR_CID_ANY of include/uapi/linux/vm_sockets.h). */
export const ANY_CID = 0xffff_ffff;

/** What Deno has behind `--unstable-vsock`. */
type ServeVsock = (
  options: { readonly cid: number; readonly port: number; readonly onListen: () => void },
  answer: (request: Request) => Response | Promise<Response>,
) => { shutdown(): Promise<void> };

/**
 * Listens for guests of this host.
 *
 * @throws {ExitError} when the kernel or this Deno has no vsock, or the port is taken
 */
export function listenVsock(
  address: ListenAddress & { kind: "vsock" },
  answer: (request: Request, listener: Listener) => Response | Promise<Response>,
): { readonly address: string; stop(): Promise<void> } {
  const text = addressText(address);
  const { permissions, port } = address;
  const listener: Listener = permissions === undefined
    ? { kind: "tcp" }
    : { kind: "unix", principal: new Principal(text, permissions) };
  try {
    const serve = Deno.serve as unknown as ServeVsock;
    const server = serve(
      { cid: ANY_CID, port, onListen: () => {} },
      (request) => answer(request, listener),
    );
    return { address: text, stop: () => server.shutdown() };
  } catch (error) {
    throw new ExitError(
      EXIT.listen,
      `Cannot listen on ${text}: ${(error as Error).message}; it needs a kernel with vsock ` +
        "(modprobe vhost_vsock) and a Deno with --unstable-vsock",
    );
  }
}
