'use strict';
// The page for people. It reads the JSON API and /metrics every few seconds and builds elements of text
// nodes only: nothing that a target or a label says can become markup.

const REFRESH_MS = 5000;
const ROWS_MAX = 300; // of one pool; the filter finds the others
const shown = { targets: null, remotes: [], openPools: new Map() };

const byId = (id) => document.getElementById(id);

function element(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  if (options.class) node.className = options.class;
  if (options.title) node.title = options.title;
  for (const child of children) node.append(child); // strings become text nodes
  return node;
}

function link(url) {
  if (!/^https?:\/\//.test(url)) return element('span', {}, url);
  const node = element('a', {}, url);
  node.href = url;
  node.rel = 'noreferrer noopener';
  return node;
}

function table(columns, rows) {
  const head = element('tr');
  for (const column of columns) head.append(element('th', { class: column.class }, column.title));
  const body = element('tbody');
  for (const row of rows) {
    const line = element('tr');
    columns.forEach((column, i) => line.append(element('td', { class: column.class }, row[i])));
    body.append(line);
  }
  return element('table', {}, element('thead', {}, head), body);
}

function duration(seconds) {
  if (!isFinite(seconds)) return '–';
  if (seconds < 1) return (seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0) + ' ms';
  if (seconds < 60) return seconds.toFixed(1) + ' s';
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return days + ' d ' + hours + ' h';
  if (hours > 0) return hours + ' h ' + minutes + ' min';
  return minutes + ' min ' + Math.floor(seconds % 60) + ' s';
}

const neverScraped = (time) => time.startsWith('0001-');
function age(time, now) {
  const seconds = (now - Date.parse(time)) / 1000;
  return seconds < 0.5 ? 'just now' : duration(seconds) + ' ago';
}
const count = (value) => (value === undefined ? '–' : Math.round(value).toLocaleString('en'));

async function get(path, asText) {
  const response = await fetch(path, { cache: 'no-store' });
  if (asText) {
    if (!response.ok) throw new Error(path + ': ' + (await response.text()));
    return response.text();
  }
  const body = await response.json();
  if (body.status !== 'success') throw new Error(path + ': ' + body.error);
  return body.data;
}

// Samples of the page whose names begin with the prefix: [{name, labels, value}].
function parseMetrics(text, prefix) {
  const samples = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith(prefix)) continue;
    const match = /^([a-zA-Z0-9_:]+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!match) continue;
    const labels = {};
    for (const pair of (match[2] || '').matchAll(/([a-zA-Z0-9_]+)="((?:[^"\\]|\\.)*)"/g)) {
      labels[pair[1]] = pair[2].replace(/\\(.)/g, (_, c) => (c === 'n' ? '\n' : c));
    }
    samples.push({ name: match[1].slice(prefix.length), labels, value: Number(match[3].replace('Inf', 'Infinity')) });
  }
  return samples;
}

// One entry a remote, with sums over whatever other labels there are. What write_relabel_configs drop, and
// what goes to another remote, is left out of the dropped: it is meant to be.
function remotesOf(text) {
  const remotes = new Map();
  for (const sample of parseMetrics(text, 'prometheus_remote_storage_')) {
    if (!sample.labels.remote_name && !sample.labels.url) continue;
    if (['dropped_series', 'other_remote'].includes(sample.labels.reason)) continue;
    const key = (sample.labels.remote_name || '') + '\n' + (sample.labels.url || '');
    if (!remotes.has(key)) {
      remotes.set(key, { name: sample.labels.remote_name || '', url: sample.labels.url || '', values: {} });
    }
    const values = remotes.get(key).values;
    values[sample.name] = (values[sample.name] || 0) + sample.value;
  }
  return [...remotes.values()].sort((a, b) => a.name.localeCompare(b.name));
}

// A remote's last word: an error since its last success, or nothing.
function errorOf(remote) {
  if (!remote.lastError) return '';
  const failing = !remote.lastSuccess || Date.parse(remote.lastSuccess) <= Date.parse(remote.lastError.time);
  return failing ? remote.lastError.text : '';
}

function showRemotes(remotes, status) {
  const target = byId('remote-table');
  if (remotes.length === 0) {
    target.replaceChildren(element('p', { class: 'quiet' }, 'No remote_write endpoint is configured.'));
    return;
  }
  const columns = [
    { title: 'Name' }, { title: 'URL', class: 'url' }, { title: 'Sent', class: 'number' },
    { title: 'Backlog', class: 'number' }, { title: 'Retried', class: 'number' },
    { title: 'Failed', class: 'number' }, { title: 'Dropped', class: 'number' },
    { title: 'Shards', class: 'number' }, { title: 'Behind', class: 'number' },
  ];
  const warn = (value) => element('span', { class: value > 0 ? 'error' : '' }, count(value));
  const told = new Map(status.remotes.map((remote) => [remote.name, remote]));
  target.replaceChildren(table(columns, remotes.map(({ name, url, values }) => {
    const remote = told.get(name); // none: it came or went between two answers
    const place = element('div', {}, url || '–');
    if (remote && errorOf(remote)) place.append(element('div', { class: 'error' }, errorOf(remote)));
    return [
      name || '–', place, count(values.samples_total), count(remote?.backlog.samples),
      count(values.samples_retried_total), warn(values.samples_failed_total), warn(values.samples_dropped_total),
      count(values.shards), remote ? duration(remote.backlog.seconds) : '–',
    ];
  })), logLine(status.log));
}

function logLine(log) {
  const size = (bytes) => (bytes / 1048576).toFixed(1) + ' MiB';
  if (log.mode === 'memory') return element('p', { class: 'quiet' }, 'Sample log: ' + size(log.memoryBytes) + ' in memory');
  const text = 'Sample log: ' + size(log.diskBytes) + ' on disk in ' + count(log.segments) + ' segments, ' + size(log.memoryBytes) + ' in memory';
  return element('p', { class: log.diskFailing ? 'error' : 'quiet' }, log.diskFailing ? text + '; the disk fails: ' + log.lastDiskError : text);
}

function card(title, value, note, alarm) {
  return element('div', { class: alarm ? 'card alarm' : 'card' }, element('div', { class: 'quiet' }, title),
    element('div', { class: 'value' }, value), element('div', { class: 'quiet' }, note));
}

function showSummary(targets, remotes, runtime, now) {
  const active = targets.activeTargets;
  const up = active.filter((t) => t.health === 'up').length;
  const down = active.filter((t) => t.health === 'down').length;
  const dropped = Object.values(targets.droppedTargetCounts || {}).reduce((a, b) => a + b, 0);
  const sum = (name) => remotes.reduce((total, remote) => total + (remote.values[name] || 0), 0);
  const lost = sum('samples_failed_total') + sum('samples_dropped_total');
  byId('summary').replaceChildren(
    card('Targets up', count(up) + ' / ' + count(active.length),
      count(down) + ' down, ' + count(dropped) + ' dropped by relabeling', down > 0),
    card('Samples pending', count(sum('samples_pending')), remotes.length + ' remote write endpoint' + (remotes.length === 1 ? '' : 's')),
    card('Samples failed or dropped', count(lost), 'since the start', lost > 0),
    card('Configuration', runtime.reloadConfigSuccess ? 'loaded' : 'reload failed',
      neverScraped(runtime.lastConfigTime) ? '' : age(runtime.lastConfigTime, now), !runtime.reloadConfigSuccess),
    card('Uptime', duration((now - Date.parse(runtime.startTime)) / 1000), runtime.hostname),
  );
}

function targetRow(target, now) {
  const labels = element('div');
  for (const [name, value] of Object.entries(target.labels)) {
    labels.append(element('span', { class: 'label' }, name + '="' + value + '"'));
  }
  const discovered = Object.entries(target.discoveredLabels).map(([n, v]) => n + '="' + v + '"').join('\n');
  if (target.lastError) labels.append(element('div', { class: 'error' }, target.lastError));
  labels.title = 'Before relabeling:\n' + discovered;
  return [
    element('span', { class: 'pill ' + target.health }, target.health), link(target.scrapeUrl), labels,
    neverScraped(target.lastScrape) ? 'never' : age(target.lastScrape, now),
    neverScraped(target.lastScrape) ? '–' : duration(target.lastScrapeDuration),
  ];
}

function matches(target, words, onlyUnhealthy) {
  if (onlyUnhealthy && target.health === 'up') return false;
  if (words.length === 0) return true;
  const text = [target.scrapeUrl, target.lastError, target.health,
    ...Object.entries(target.labels).map(([name, value]) => name + '="' + value + '"')].join(' ').toLowerCase();
  return words.every((word) => text.includes(word));
}

function poolSection(pool, targets, selected, dropped, now) {
  const up = targets.filter((t) => t.health === 'up').length;
  const details = element('details');
  details.open = shown.openPools.get(pool) ?? true;
  details.addEventListener('toggle', () => shown.openPools.set(pool, details.open));
  const health = up === targets.length ? 'up' : targets.some((t) => t.health === 'down') ? 'down' : 'unknown';
  details.append(element('summary', {}, pool + ' ', element('span', { class: 'pill ' + health }, up + ' / ' + targets.length + ' up'),
    element('span', { class: 'quiet' }, dropped > 0 ? ' ' + count(dropped) + ' dropped by relabeling' : '')));
  const columns = [
    { title: 'Health' }, { title: 'URL', class: 'url' }, { title: 'Labels and last error', class: 'wide' },
    { title: 'Last scrape', class: 'number' }, { title: 'Took', class: 'number' },
  ];
  const scroll = element('div', { class: 'scroll' });
  if (selected.length > 0) scroll.append(table(columns, selected.slice(0, ROWS_MAX).map((t) => targetRow(t, now))));
  if (selected.length > ROWS_MAX) {
    scroll.append(element('p', { class: 'quiet' }, 'and ' + count(selected.length - ROWS_MAX) + ' more; use the filter to find them'));
  }
  details.append(scroll);
  return details;
}

function showTargets() {
  if (!shown.targets) return;
  const { data, now } = shown.targets;
  const words = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  const onlyUnhealthy = byId('unhealthy').checked;
  const dropped = data.droppedTargetCounts || {};
  const pools = new Map();
  for (const pool of Object.keys(dropped)) pools.set(pool, []);
  for (const target of data.activeTargets) {
    if (!pools.has(target.scrapePool)) pools.set(target.scrapePool, []);
    pools.get(target.scrapePool).push(target);
  }
  const sections = [];
  for (const pool of [...pools.keys()].sort()) {
    const selected = pools.get(pool).filter((t) => matches(t, words, onlyUnhealthy));
    if (selected.length === 0 && (words.length > 0 || onlyUnhealthy)) continue;
    sections.push(poolSection(pool, pools.get(pool), selected, dropped[pool] || 0, now));
  }
  if (sections.length === 0) sections.push(element('p', { class: 'quiet' }, pools.size ? 'No target matches.' : 'There are no targets.'));
  byId('pools').replaceChildren(...sections);
}

function setState(health, text, problem) {
  byId('state').className = 'pill ' + health;
  byId('state').textContent = text;
  byId('problem').hidden = !problem;
  byId('problem').textContent = problem || '';
}

async function refresh() {
  try {
    // One after the other: the agent serves few requests at a time.
    const targets = await get('/api/v1/targets');
    const runtime = await get('/api/v1/status/runtimeinfo');
    const remoteWrite = await get('/api/v1/status/remote_write');
    const metrics = await get('/metrics', true);
    const now = Date.parse(runtime.serverTime); // the agent's clock: the reader's may be wrong
    const remotes = remotesOf(metrics);
    shown.targets = { data: targets, now };
    showSummary(targets, remotes, runtime, now);
    showRemotes(remotes, remoteWrite);
    showTargets();
    const ready = (await fetch('/-/ready', { cache: 'no-store' })).ok;
    setState(ready ? 'up' : 'unknown', ready ? 'ready' : 'starting', '');
  } catch (error) {
    setState('down', 'no answer', 'What is shown may be old: ' + error.message);
  }
  setTimeout(refresh, REFRESH_MS);
}

async function showFixed() {
  try {
    const build = await get('/api/v1/status/buildinfo');
    byId('version').textContent = build.version + (build.revision === 'unknown' ? '' : ' (' + build.revision + ')');
    byId('yaml').textContent = (await get('/api/v1/status/config')).yaml;
    const flags = Object.entries(await get('/api/v1/status/flags')).sort();
    byId('flags').replaceChildren(table([{ title: 'Flag' }, { title: 'Value', class: 'wide' }], flags.map(([n, v]) => ['--' + n, v])));
  } catch (error) {
    setTimeout(showFixed, REFRESH_MS);
  }
}

byId('filter').addEventListener('input', showTargets);
byId('unhealthy').addEventListener('change', showTargets);
showFixed().then(refresh);
