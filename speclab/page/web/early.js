// What has to be settled before the page is painted and before Swagger UI is loaded.

// Swagger UI's dark style hangs on a class of the root and not on what the browser asks for. Set this early, a dark page does not
// begin with a flash of white.
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();

// A library in it, zenscroll, takes over every link within the page, to scroll smoothly: links no longer move the focus, nor does
// the browser tell when the address changes. This is its own switch.
window.noZensmooth = true;
