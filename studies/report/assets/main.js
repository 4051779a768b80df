// Puts the page together.

function schemes() {
  const button = document.getElementById("scheme");
  const root = document.documentElement;
  const dark = () =>
    (root.dataset.scheme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) ===
    "dark";
  const label = () => (button.textContent = dark() ? "Light colours" : "Dark colours");
  button.addEventListener("click", () => {
    root.dataset.scheme = dark() ? "light" : "dark";
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();
}

schemes();
selectableTables();
legend();
curvesChart();
finalsChart();
seriesPart();
replayPart();
readAddress();
