// Numbers as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const number = (value) => whole.format(value);

export const rate = (value) => (value < 10 ? tenth : whole).format(value);

export function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.001) return `${whole.format(value * 1e6)} µs`;
  if (value < 1) return `${(value < 0.01 ? tenth : whole).format(value * 1000)} ms`;
  if (value < 60) return `${(value < 10 ? tenth : whole).format(value)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min ${Math.floor(value % 60)} s`;
  if (value < 172800) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86400)} days`;
}

// Of a wait or an age: whole seconds are enough.
export function age(value) {
  if (value === null || value === undefined) return "–";
  return value < 60 ? `${Math.max(0, Math.round(value))} s` : seconds(value);
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export function time(unix) {
  const at = new Date(unix * 1000);
  const today = new Date().toDateString() === at.toDateString();
  return today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
}

export const iso = (unix) => new Date(unix * 1000).toISOString();

export const plural = (count, one, many) => `${number(count)} ${count === 1 ? one : many}`;
