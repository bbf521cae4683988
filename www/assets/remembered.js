// What this browser remembers of somebody's taste, where it may remember anything.

export function recall(name) {
  try {
    return localStorage.getItem(`halcyon.${name}`);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(`halcyon.${name}`, value);
  } catch {
    // Then it holds until the page is closed.
  }
}
