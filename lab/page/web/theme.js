// Swagger UI's dark style hangs on a class of the root and not on what the browser asks for. This runs before anything is painted,
// so that a dark page does not begin with a flash of white.
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();
