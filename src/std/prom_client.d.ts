// The names of prom-client that this project uses, with the package's own types.
export { Counter, Gauge, Histogram, Registry } from "npm:prom-client@15.1.3";
