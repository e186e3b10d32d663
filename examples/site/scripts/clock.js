// Counts down to when the comet sets, on the page's clock.
import { evenings } from "./evenings.js";

export function left(now) {
  const evening = evenings.find((e) => e.day === now.getDay()) ?? evenings[0];
  const minutes = evening.sets - (now.getHours() * 60 + now.getMinutes());
  return ((minutes % 1440) + 1440) % 1440;
}

const clock = document.querySelector("#clock");
const show = () => {
  const minutes = left(new Date());
  clock.textContent = `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
};
if (clock) {
  show();
  setInterval(show, 10000);
}
