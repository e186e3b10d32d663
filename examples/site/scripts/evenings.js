// When the comet sets, minutes after midnight: what the table on the page says.
export const evenings = [
  { day: 5, sets: 23 * 60 + 12 },
  { day: 6, sets: 23 * 60 + 4 },
  { day: 0, sets: 22 * 60 + 51 },
  { day: 1, sets: 22 * 60 + 37 },
];
