/**
 * Whether two texts are the same. It takes as long for a near miss as for a wild guess, so a
 * caller who guesses a token learns nothing from the time of the answer.
 */
export function isSameText(given: string, secret: string): boolean {
  let difference = given.length ^ secret.length;
  for (let index = 0; index < given.length; index++) {
    difference |= given.charCodeAt(index) ^ secret.charCodeAt(index % secret.length);
  }
  return difference === 0;
}
