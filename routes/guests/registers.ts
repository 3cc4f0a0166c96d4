import type { Guest } from "../../src/guests/guest/guest.ts";
import {
  GuestParam,
  RegisterBody,
  RegisterParam,
  RegistersBody,
  RegistersView,
  RegisterView,
  VcpuQuery,
} from "../../src/wire/guests.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { onGuest } from "../http/rights.ts";
import { endpoint, OWNED_FAULTS, ownedGuest } from "./views.ts";

const every = { params: GuestParam, query: VcpuQuery };
const one = { ...every, params: RegisterParam };

const showRegisters = endpoint({
  method: "get",
  path: "/v1/guests/{g}/registers",
  operationId: "showRegisters",
  summary: "Show all registers",
  description: "Shows every register of a guest that does not run, by lguest's names.",
  needs: onGuest("guest"),

  request: every,
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(RegistersView, "Every register") },
  faults: [...OWNED_FAULTS, "vcpu-out-of-range"],
}).handle(async (c, { guests }) => c.json(await registersOf(ownedGuest(guests, c)), 200));

const showRegister = endpoint({
  method: "get",
  path: "/v1/guests/{g}/registers/{name}",
  operationId: "showRegister",
  summary: "Show one register",
  description: "Shows one register of a guest that does not run.",
  needs: onGuest("guest"),

  request: one,
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(RegisterView, "The register") },
  faults: [...OWNED_FAULTS, "register-unknown", "vcpu-out-of-range"],
}).handle(async (c, { guests }) => {
  const { name } = c.req.valid("param");
  const value = await ownedGuest(guests, c).registers.get(name);
  return c.json({ name, value: String(value) }, 200);
});

const setRegister = endpoint({
  method: "put",
  path: "/v1/guests/{g}/registers/{name}",
  operationId: "setRegister",
  summary: "Set one register",
  description: "Sets one register of a guest that does not run.",
  needs: onGuest("guest"),

  request: { ...one, body: jsonBody(RegisterBody) },
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(RegisterView, "The register") },
  faults: [...OWNED_FAULTS, "register-unknown", "register-read-only", "vcpu-out-of-range"],
}).handle(async (c, { guests }) => {
  const { name } = c.req.valid("param");
  const { value } = c.req.valid("json");
  await ownedGuest(guests, c).registers.set(new Map([[name, value]]));
  return c.json({ name, value: String(value) }, 200);
});

const setRegisters = endpoint({
  method: "patch",
  path: "/v1/guests/{g}/registers",
  operationId: "setRegisters",
  summary: "Set several registers, all or none",
  description:
    "Sets several registers of a guest that does not run. When one is unknown or may not be set, " +
    "none is set.",
  needs: onGuest("guest"),

  request: { ...every, body: jsonBody(RegistersBody) },
  headers: ["Innkeeper-Owner"],
  responses: { 200: json(RegistersView, "Every register") },
  faults: [...OWNED_FAULTS, "register-unknown", "register-read-only", "vcpu-out-of-range"],
}).handle(async (c, { guests }) => {
  const guest = ownedGuest(guests, c);
  await guest.registers.set(new Map(Object.entries(c.req.valid("json"))));
  return c.json(await registersOf(guest), 200);
});

async function registersOf(guest: Guest): Promise<Record<string, string>> {
  const registers = Object.entries(await guest.registers.all());
  return Object.fromEntries(registers.map(([name, value]) => [name, String(value)]));
}

/** The registers of a guest that does not run, as lguest shows them (docs/guests.md#sources). */
export const registerEndpoints = [showRegisters, showRegister, setRegister, setRegisters];
