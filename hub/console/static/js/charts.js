// The house's charts: a thin hand on ECharts. A chart stands beside a table that says the same, and
// is drawn from a block of data in the page:
//
//   <div class="chart" data-chart="ages-data" role="img" aria-label="…"></div>
//   {{ {"kind": "bars", "categories": […], "series": [{"name": …, "values": […]}]}|json_script("ages-data") }}
//
// kind: bars, stacked, line. horizontal: categories down the side. unit: behind a value on hover.
// Values are numbers or null; a series may have a tone (success, info, warning, danger, secondary).
// Where a value leads somewhere, series[].links holds addresses of this console.
//
// Colours are the page's own variables, in both themes; tooltips are drawn in the canvas, because
// the content policy allows no style in the page; nothing moves by itself.

const TONES = ["info", "warning", "success", "danger", "secondary"];
const drawn = new Map();

// What a variable comes to in the end, as the canvas knows colours: it may be mixed of others.
const probe = document.createElement("span");
const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
probe.hidden = true;
document.body.append(probe);

function colour(name, fallback) {
  probe.style.color = "";
  probe.style.color = `var(${name}, ${fallback})`;
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = fallback;
  pixel.fillStyle = getComputedStyle(probe).color;
  pixel.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
  return `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`;
}

function palette() {
  return {
    text: colour("--tblr-body-color", "#1f2937"),
    faint: colour("--console-secondary", "#4c5866"),
    line: colour("--tblr-border-color", "#dadfe5"),
    surface: colour("--tblr-bg-surface", "#ffffff"),
    tones: Object.fromEntries(
      TONES.map((tone) => [tone, colour(`--console-${tone}`, "#0b5f8a")]),
    ),
  };
}

const numbers = new Intl.NumberFormat(document.documentElement.lang || "en");

function written(value, unit) {
  if (value === null || value === undefined) return "–";
  return unit ? `${numbers.format(value)} ${unit}` : numbers.format(value);
}

// A rich text would read braces and bars as its own: names of registries have neither to say.
const plain = (text) => String(text).replace(/[{}|]/g, " ");

function optionOf(data) {
  const look = palette();
  const isLine = data.kind === "line";
  const categories = data.categories.map(plain);
  const labels = { color: look.faint, hideOverlap: true };
  const categoryAxis = {
    type: "category",
    data: categories,
    axisLabel: { ...labels, ...(data.horizontal ? { interval: 0 } : {}) },
    axisLine: { lineStyle: { color: look.line } },
    axisTick: { show: false },
    inverse: Boolean(data.horizontal),
  };
  const valueAxis = {
    type: "value",
    minInterval: data.fractions ? 0 : 1,
    axisLabel: { ...labels, formatter: (value) => numbers.format(value) },
    splitLine: { lineStyle: { color: look.line } },
  };
  return {
    animation: false,
    textStyle: { fontFamily: "inherit", color: look.text },
    aria: { enabled: false },
    grid: { left: 8, right: 16, top: data.series.length > 1 ? 40 : 16, bottom: 8, containLabel: true },
    legend:
      data.series.length > 1
        ? { type: "scroll", top: 0, textStyle: { color: look.text }, pageTextStyle: { color: look.text }, data: data.series.map((one) => plain(one.name)) }
        : undefined,
    tooltip: {
      trigger: "axis",
      renderMode: "richText",
      confine: true,
      backgroundColor: look.surface,
      borderColor: look.line,
      textStyle: { color: look.text },
      axisPointer: { type: isLine ? "line" : "shadow" },
      formatter: (points) =>
        [
          points[0].name,
          ...points
            .filter((point) => points.length === 1 || point.value)
            .map((point) => `${point.seriesName}: ${written(point.value, data.unit)}`),
        ].join("\n"),
    },
    xAxis: data.horizontal ? valueAxis : categoryAxis,
    yAxis: data.horizontal ? categoryAxis : valueAxis,
    series: data.series.map((one, place) => ({
      name: plain(one.name),
      type: isLine ? "line" : "bar",
      stack: data.kind === "stacked" ? "all" : undefined,
      data: one.values,
      showSymbol: false,
      barMaxWidth: 36,
      lineStyle: { width: 2 },
      areaStyle: isLine && data.series.length === 1 ? { opacity: 0.15 } : undefined,
      // Colour is never all: parts of a stack are set apart by a line too.
      itemStyle: {
        color: look.tones[one.tone] ?? look.tones[TONES[place % TONES.length]],
        borderColor: look.surface,
        borderWidth: data.kind === "stacked" ? 1 : 0,
      },
    })),
  };
}

function isOwnPath(path) {
  return typeof path === "string" && path.startsWith("/") && !path.startsWith("//");
}

function draw(element) {
  const block = document.getElementById(element.dataset.chart);
  if (!block || !window.echarts) return;
  let data;
  try {
    data = JSON.parse(block.textContent);
  } catch {
    return;
  }
  let known = drawn.get(element);
  if (!known) {
    const chart = window.echarts.init(element, null, { renderer: "canvas" });
    const watcher = new ResizeObserver(() => chart.resize());
    watcher.observe(element);
    known = { chart, watcher };
    drawn.set(element, known);
    chart.on("click", (event) => {
      const link = known.data.series[event.seriesIndex]?.links?.[event.dataIndex];
      if (isOwnPath(link)) window.location.assign(link);
    });
  }
  known.data = data;
  known.chart.setOption(optionOf(data), true);
}

function drop(root) {
  for (const [element, { chart, watcher }] of drawn) {
    if (root?.contains(element) || !element.isConnected) {
      watcher.disconnect();
      chart.dispose();
      drawn.delete(element);
    }
  }
}

export function drawAll(root = document) {
  drop(null);
  for (const element of root.querySelectorAll("[data-chart]")) draw(element);
}

drawAll();
document.body.addEventListener("htmx:beforeSwap", (event) => drop(event.detail.target));
document.body.addEventListener("htmx:afterSettle", () => drawAll());

// Another theme, other colours: the page's, not the chart's.
new MutationObserver(() => drawAll()).observe(document.documentElement, {
  attributes: true,
  attributeFilter: ["data-bs-theme"],
});
