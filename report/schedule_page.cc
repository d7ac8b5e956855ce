// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/schedule_page.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "report/json.h"
#include "report/markup.h"

namespace reapsim {
namespace {

constexpr absl::string_view kStyle = R"(
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);
  font:15px/1.45 system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
code,pre,.op,.stmt,.chg,.lk,aside td,.n{font-family:ui-monospace,
  SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:12.5px}
main,header,footer{max-width:1500px;margin:0 auto;padding:0 20px}
header{padding-top:18px}
h1{font-size:22px;margin:0 0 2px}
h2{font-size:17px;margin:22px 0 4px}
h3{font-size:13px;margin:14px 0 4px;color:var(--muted);font-weight:600}
p{margin:4px 0}
p.end{border-left:3px solid var(--bad);padding-left:9px}
nav{display:flex;flex-wrap:wrap;gap:6px;margin:10px 0 0}
pre{background:var(--panel);padding:10px;overflow-x:auto;margin:6px 0}
code{overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--muted)}
button,nav a{font:inherit;font-size:13px;color:var(--fg);background:var(--panel);
  border:1px solid var(--line);border-radius:6px;padding:4px 10px;
  cursor:pointer;text-decoration:none}
button:disabled{color:var(--muted);cursor:default;opacity:.6}
nav a[aria-current]{border-color:var(--accent);color:var(--accent)}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.bar{display:none;position:sticky;top:0;z-index:3;background:var(--bg);
  border-bottom:1px solid var(--line);padding:8px 0;margin-top:8px;
  flex-wrap:wrap;gap:6px 8px;align-items:center}
.js .bar{display:flex}
.bar output{font-variant-numeric:tabular-nums;min-width:15em;font-weight:600}
.bar label{font-size:13px;color:var(--muted);display:flex;gap:4px;
  align-items:center}
.split{display:grid;grid-template-columns:minmax(0,1fr) minmax(330px,430px);
  gap:24px;align-items:start}
.none{color:var(--muted)}
table{border-collapse:collapse}
table.steps{width:100%;table-layout:fixed}
.steps th,.steps td{vertical-align:top;text-align:left;padding:3px 8px}
.steps thead th{position:sticky;top:0;z-index:2;background:var(--bg);
  border-bottom:1px solid var(--line);font-size:13px}
.js .steps thead th{top:46px}
.steps .k{width:54px;text-align:right;font-weight:400}
.steps tr.turn td,.steps tr.turn th,.hide tr.lead td,.hide tr.lead th{
  border-top:1px solid var(--line)}
.steps td{position:relative;border-left:1px solid var(--line);
  padding-left:calc(10px + var(--w,0) * 8px);height:21px}
.steps tr.now td,.steps tr.now th{background:var(--panel)}
.steps tr.now .k a{background:var(--accent);color:var(--bg)}
.steps tr.now td.on{box-shadow:inset 0 0 0 1px var(--accent)}
.js .steps tbody tr{cursor:pointer;scroll-margin:110px 0 40vh}
.js .hide tr.small{display:none}
.n a{color:var(--muted);text-decoration:none;font-variant-numeric:tabular-nums;
  padding:0 3px;border-radius:3px}
.stmt{font-weight:600;overflow-wrap:anywhere}
.stmt::before{content:"\2192\a0";color:var(--accent)}
.op{overflow-wrap:anywhere}
.src{color:var(--muted)}
.chg,.lk{color:var(--fg);overflow-wrap:anywhere}
.chg b{font-weight:400;background:var(--mark);border-radius:3px;padding:0 3px}
.lk{color:var(--muted)}
.tag{font-size:11.5px;color:var(--bad);font-weight:600}
i.b{position:absolute;top:0;bottom:0;width:5px;
  left:calc(5px + var(--k) * 8px);background:var(--c)}
i.r{background:repeating-linear-gradient(0deg,var(--c) 0 4px,
  transparent 4px 6px)}
i.w{background:none;border-left:2px dotted var(--c)}
aside{position:sticky;top:56px;max-height:calc(100vh - 64px);overflow:auto;
  padding-bottom:12px}
aside table{width:100%;font-size:13px}
aside th{text-align:left;font-weight:400;color:var(--muted);
  padding:2px 8px 2px 0;
  vertical-align:top}
aside thead th{color:var(--fg);border-bottom:1px solid var(--line)}
aside td{padding:2px 8px 2px 0;vertical-align:top;overflow-wrap:anywhere;
  font-variant-numeric:tabular-nums}
aside tbody td:empty::after{content:"\2013";color:var(--line)}
.js tr.free{display:none}
aside td.new{background:var(--mark)}
aside td s{color:var(--muted)}
footer{color:var(--muted);font-size:13px;padding-top:18px;padding-bottom:40px}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;padding:0;
  margin:4px 0}
.legend i{position:static;display:inline-block;height:13px;width:5px;
  margin-right:6px;vertical-align:-2px;--c:var(--l0)}
kbd{border:1px solid var(--line);border-radius:4px;padding:0 4px;font-size:12px}
@media (max-width:900px){
  main,header,footer{padding-left:12px;padding-right:12px}
  .split{display:block}
  .grid{overflow-x:auto}
  table.steps{min-width:calc(54px + var(--n) * 210px)}
  .steps thead th,.js .steps thead th{position:static}
  .js .steps tbody tr{scroll-margin-top:170px}
  aside{position:sticky;top:auto;bottom:0;max-height:38vh;background:var(--bg);
    border-top:2px solid var(--line);margin:0 -12px;padding:0 12px 8px}
  .bar output{min-width:100%}
}
@media print{.bar,nav{display:none!important}aside{position:static;
  max-height:none}}
)";

// The page stands without it. It moves along the steps: `at` of them are made.
constexpr absl::string_view kScript = R"('use strict';
document.documentElement.classList.add('js');
(function () {
  var cases = [].slice.call(document.querySelectorAll('section.case'));
  var links = [].slice.call(document.querySelectorAll('nav a'));
  var players = cases.map(function (section) {
    var data = section.querySelector('script.data');
    return data ? new Player(section, JSON.parse(data.textContent)) : null;
  });
  var shown = 0;

  function Player(section, data) {
    var self = this;
    var id = section.id;
    var rows = [].slice.call(section.querySelectorAll('table.steps tbody tr'));
    var cells = {};
    [].forEach.call(section.querySelectorAll('td[data-f]'), function (td) {
      cells[td.getAttribute('data-f')] = td;
    });
    var locks = [].slice.call(section.querySelectorAll('tr.lock'));
    var grid = section.querySelector('.grid');
    var output = section.querySelector('output');
    var small = section.querySelector('input');
    var buttons = {};
    [].forEach.call(section.querySelectorAll('button'), function (button) {
      buttons[button.getAttribute('data-go')] = button;
      button.addEventListener('click', function () {
        self.go(button.getAttribute('data-go'));
      });
    });
    var values = data.start.slice();
    var at = 0;

    function isHidden(i) {
      return !small.checked && rows[i].classList.contains('small');
    }
    function forward() {
      data.steps[at].forEach(function (c) { values[c[0]] = c[2]; });
      at++;
    }
    function back() {
      at--;
      data.steps[at].forEach(function (c) { values[c[0]] = c[1]; });
    }
    function draw() {
      var old = section.querySelector('tr.now');
      if (old) {
        old.classList.remove('now');
        old.removeAttribute('aria-current');
      }
      for (var f in cells) {
        cells[f].textContent = values[f];
        cells[f].classList.remove('new');
        cells[f].removeAttribute('title');
      }
      var before = {};
      var i = at - 1;
      do {
        if (i < 0) break;
        data.steps[i].forEach(function (c) { before[c[0]] = c[1]; });
        --i;
      } while (i >= 0 && isHidden(i));
      for (var changed in before) {
        var cell = cells[changed];
        if (!cell || before[changed] === values[changed]) continue;
        cell.classList.add('new');
        cell.title = 'was ' + (before[changed] || 'empty');
      }
      locks.forEach(function (row) {
        var empty = [].every.call(row.querySelectorAll('td'), function (td) {
          return td.textContent === '' && !td.classList.contains('new');
        });
        row.classList.toggle('free', empty);
      });
      if (at === 0) {
        output.textContent = 'Before the first of ' + rows.length + ' steps';
      } else {
        var row = rows[at - 1];
        row.classList.add('now');
        row.setAttribute('aria-current', 'step');
        row.scrollIntoView({block: 'nearest'});
        output.textContent = 'Step ' + data.numbers[at - 1] + ' of ' +
            data.numbers[rows.length - 1] + ': ' + data.who[at - 1];
      }
      buttons.first.disabled = buttons.back.disabled = at === 0;
      buttons.last.disabled = buttons.next.disabled = at === rows.length;
      buttons.prevturn.disabled = at === 0;
      buttons.nextturn.disabled = at === rows.length;
      var place = at > 0 ? '#' + id + '-s' + data.numbers[at - 1]
                         : location.href.split('#')[0];
      try { history.replaceState(null, '', place); } catch (e) { return; }
    }
    this.to = function (target) {
      while (at < target) forward();
      while (at > target) back();
      if (at > 0 && isHidden(at - 1)) {
        small.checked = true;
        grid.classList.remove('hide');
      }
      draw();
    };
    this.go = function (where) {
      var i = at;
      var turn = where === 'prevturn' || where === 'nextturn';
      function stops(k) {
        return !isHidden(k) && (!turn || isFirstShown(k));
      }
      function isFirstShown(k) {
        for (var j = k; !rows[j].classList.contains('turn'); --j) {
          if (!isHidden(j - 1)) return false;
        }
        return true;
      }
      if (where === 'first') i = 0;
      if (where === 'last') i = rows.length;
      if (where === 'next' || where === 'nextturn') {
        for (i = at; i < rows.length && !stops(i); ++i) {}
        i = Math.min(i + 1, rows.length);
      }
      if (where === 'back' || where === 'prevturn') {
        for (i = at - 2; i >= 0 && !stops(i); --i) {}
        i = Math.max(i + 1, 0);
      }
      this.to(i);
    };
    this.hash = function (hash) {
      var number = Number(hash.slice(id.length + 3));
      for (var i = 0; i < data.numbers.length; ++i) {
        if (data.numbers[i] === number) return this.to(i + 1);
      }
      this.to(at);
    };
    small.addEventListener('change', function () {
      grid.classList.toggle('hide', !small.checked);
      if (at > 0 && isHidden(at - 1)) self.go('back');
    });
    rows.forEach(function (row, i) {
      row.addEventListener('click', function (event) {
        event.preventDefault();
        self.to(i + 1);
      });
    });
    grid.classList.add('hide');
  }

  function show(which) {
    shown = which;
    cases.forEach(function (section, i) { section.hidden = i !== which; });
    links.forEach(function (link, i) {
      if (i === which) link.setAttribute('aria-current', 'true');
      else link.removeAttribute('aria-current');
    });
  }
  function follow() {
    var match = /^#(c(\d+))(-s\d+)?$/.exec(location.hash);
    var which = match ? Number(match[2]) : -1;
    if (!cases[which]) {
      which = 0;
      while (which + 1 < cases.length && !players[which]) ++which;
      if (!players[which]) which = 0;
      match = null;
    }
    show(which);
    if (!players[which]) return;
    if (match && match[3]) players[which].hash(location.hash);
    else players[which].to(0);
  }
  links.forEach(function (link, i) {
    link.addEventListener('click', function (event) {
      event.preventDefault();
      show(i);
      if (players[i]) players[i].go('');
    });
  });
  window.addEventListener('hashchange', follow);
  document.addEventListener('keydown', function (event) {
    var go = {ArrowRight: 'next', ArrowDown: 'next', ArrowLeft: 'back',
      ArrowUp: 'back', Home: 'first', End: 'last', PageDown: 'nextturn',
      PageUp: 'prevturn'}[event.key];
    if (!go || !players[shown] || event.ctrlKey || event.metaKey ||
        event.altKey || event.shiftKey) return;
    event.preventDefault();
    players[shown].go(go);
  });
  follow();
})();
)";

// "mm/oom_kill.c:__oom_reap_task_mm, each VMA": the file behind the function.
std::string OperationHtml(const ScheduleOperation& operation) {
  const absl::string_view place = operation.place;
  const size_t colon = place.find(':');
  const bool split = colon != absl::string_view::npos &&
                     !absl::StrContains(place.substr(0, colon), ' ');
  std::string html;
  if (!operation.statement.empty()) {
    absl::StrAppend(&html, "<div class=\"stmt\">", Escaped(operation.statement),
                    "</div>");
  }
  absl::StrAppend(
      &html, "<div class=\"op\"",
      operation.model.empty()
          ? ""
          : absl::StrCat(" title=\"model: ", Escaped(operation.model), "\""),
      ">", Escaped(split ? place.substr(colon + 1) : place),
      split ? absl::StrCat(" <span class=\"src\">",
                           Escaped(place.substr(0, colon)), "</span>")
            : "",
      "</div>");
  return html;
}

std::string ValueHtml(absl::string_view value) {
  return value.empty() ? "&#8211;" : Escaped(value);
}

class PlayWriter {
 public:
  PlayWriter(const SchedulePlay& play, absl::string_view id)
      : play_(play), id_(id) {
    PlaceSpans();
  }

  std::string Html() const {
    return absl::StrCat(
        Head(), Bar(), "<div class=\"split\">\n",
        "<div class=\"grid\" style=\"--n:", play_.columns.size(), "\">\n",
        Steps(), "</div>\n", State(), "</div>\n", Data());
  }

 private:
  // Gives each span the leftmost place beside its column's text at which no
  // other one is, and each lock a colour.
  void PlaceSpans() {
    widths_.resize(play_.columns.size(), 0);
    std::vector<std::vector<int64_t>> free_from(play_.columns.size());
    for (const ScheduleSpan& span : play_.spans) {
      std::vector<int64_t>& places = free_from[span.column];
      const auto place =
          std::find_if(places.begin(), places.end(),
                       [&](int64_t last) { return last < span.first; });
      const auto at = static_cast<size_t>(place - places.begin());
      if (place == places.end()) places.push_back(span.last);
      places[at] = span.last;
      places_.push_back(at);
      widths_[span.column] = std::max(widths_[span.column], at + 1);
      const auto known = std::find(locks_.begin(), locks_.end(), span.lock);
      colours_.push_back(static_cast<size_t>(known - locks_.begin()));
      if (known == locks_.end()) locks_.push_back(span.lock);
    }
    by_column_.resize(play_.columns.size());
    for (size_t i = 0; i < play_.spans.size(); ++i) {
      by_column_[play_.spans[i].column].push_back(i);
    }
  }

  std::string Head() const {
    return absl::StrCat("<p>", Escaped(play_.heading), ". ",
                        play_.steps.empty() ? 0 : play_.steps.back().number + 1,
                        " steps.</p>\n<p class=\"end\">", Escaped(play_.end),
                        "</p>\n<p class=\"none\">Play it again: <code>",
                        Escaped(play_.replay), "</code></p>\n");
  }

  static std::string Bar() {
    return R"(<div class="bar">
<button type="button" data-go="first">First</button>
<button type="button" data-go="back">&#8592; Back</button>
<button type="button" data-go="next">Next &#8594;</button>
<button type="button" data-go="last">Last</button>
<button type="button" data-go="prevturn">Turn before</button>
<button type="button" data-go="nextturn">Turn after</button>
<output aria-live="polite"></output>
<label><input type="checkbox"/> small steps, too</label>
</div>
)";
  }

  std::string Steps() const {
    std::string html = absl::StrCat(
        "<table class=\"steps\">\n<caption hidden=\"\">Steps by task</caption>"
        "\n<thead><tr><th class=\"k\" scope=\"col\">step</th>");
    for (const std::string& column : play_.columns) {
      absl::StrAppend(&html, "<th scope=\"col\">", Escaped(column), "</th>");
    }
    absl::StrAppend(&html, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < play_.steps.size(); ++i) {
      absl::StrAppend(&html, StepRow(i));
    }
    absl::StrAppend(&html, "</tbody></table>\n");
    return html;
  }

  bool BeginsTurn(size_t i) const {
    return i == 0 || play_.steps[i - 1].column != play_.steps[i].column;
  }

  // turn: the first row of a turn; lead: the first that is not small.
  std::string RowClass(size_t i) const {
    std::vector<absl::string_view> classes;
    if (BeginsTurn(i)) classes.push_back("turn");
    if (play_.steps[i].small) classes.push_back("small");
    size_t first = i;
    while (!BeginsTurn(first) && play_.steps[first - 1].small) --first;
    if (first != i && BeginsTurn(first) && !play_.steps[i].small) {
      classes.push_back("lead");
    }
    return classes.empty()
               ? ""
               : absl::StrCat(" class=\"", absl::StrJoin(classes, " "), "\"");
  }

  std::string StepRow(size_t i) const {
    const ScheduleStep& step = play_.steps[i];
    std::string html =
        absl::StrCat("<tr id=\"", id_, "-s", step.number, "\"", RowClass(i),
                     "><th class=\"k n\" scope=\"row\"><a href=\"#", id_, "-s",
                     step.number, "\">", step.number, "</a></th>");
    for (size_t column = 0; column < play_.columns.size(); ++column) {
      const bool on = column == step.column;
      absl::StrAppend(
          &html, "<td", on ? " class=\"on\"" : "",
          widths_[column] == 0
              ? ""
              : absl::StrCat(" style=\"--w:", widths_[column], "\""),
          ">", Bars(column, static_cast<int64_t>(i)),
          on ? StepText(i) : Others(column, static_cast<int64_t>(i)), "</td>");
    }
    absl::StrAppend(&html, "</tr>\n");
    return html;
  }

  std::string Bars(size_t column, int64_t i) const {
    std::string html;
    for (const size_t each : by_column_[column]) {
      const ScheduleSpan& span = play_.spans[each];
      if (i < span.first || i > span.last) continue;
      absl::StrAppend(&html, "<i class=\"b", KindClass(span.kind),
                      "\" style=\"--k:", places_[each], ";--c:var(--l",
                      colours_[each] % 6, ")\" title=\"",
                      Escaped(absl::StrCat(KindVerb(span.kind), span.lock)),
                      "\"></i>");
    }
    return html;
  }

  static const char* KindClass(ScheduleSpan::Kind kind) {
    switch (kind) {
      case ScheduleSpan::Kind::kShared:
        return " r";
      case ScheduleSpan::Kind::kExclusive:
        return "";
      case ScheduleSpan::Kind::kWaits:
        return " w";
    }
    return "";
  }
  static const char* KindVerb(ScheduleSpan::Kind kind) {
    switch (kind) {
      case ScheduleSpan::Kind::kShared:
        return "reads under ";
      case ScheduleSpan::Kind::kExclusive:
        return "holds ";
      case ScheduleSpan::Kind::kWaits:
        return "waits for ";
    }
    return "";
  }

  // What of the column's locks begins or ends with step i.
  std::string LockLines(size_t column, int64_t i) const {
    std::string html;
    for (const size_t each : by_column_[column]) {
      const ScheduleSpan& span = play_.spans[each];
      const bool waits = span.kind == ScheduleSpan::Kind::kWaits;
      const bool shared = span.kind == ScheduleSpan::Kind::kShared;
      std::string text;
      if (span.first == i) {
        text = absl::StrCat(waits ? "waits for " : "takes ", span.lock,
                            shared ? " (to read)" : "");
      } else if (span.last + 1 == i && !waits) {
        text = absl::StrCat("releases ", span.lock);
      }
      if (text.empty()) continue;
      absl::StrAppend(&html, "<div class=\"lk\">", Escaped(text), "</div>");
    }
    return html;
  }

  // In the column of a task that did not run.
  std::string Others(size_t column, int64_t i) const {
    return LockLines(column, i);
  }

  std::string StepText(size_t i) const {
    const ScheduleStep& step = play_.steps[i];
    std::string html;
    if (step.preempts) {
      absl::StrAppend(&html, "<div class=\"tag\">preemption</div>");
    }
    for (const ScheduleOperation& operation : step.operations) {
      absl::StrAppend(&html, OperationHtml(operation));
    }
    absl::StrAppend(&html, LockLines(step.column, static_cast<int64_t>(i)));
    for (const ScheduleChange& change : step.changes) {
      const ScheduleFact& fact = play_.facts[change.fact];
      if (fact.is_lock) continue;
      absl::StrAppend(
          &html, "<div class=\"chg\">", Escaped(fact.name),
          fact.subject.empty() || fact.subject == play_.columns[step.column]
              ? ""
              : absl::StrCat(" <span class=\"src\">", Escaped(fact.subject),
                             "</span>"),
          ": ", ValueHtml(change.from), " &#8594; <b>", ValueHtml(change.to),
          "</b></div>");
    }
    if (step.decides) {
      absl::StrAppend(&html,
                      "<div class=\"tag\">from here on, every schedule ends "
                      "so</div>");
    }
    return html;
  }

  // One table for each group of facts, with the values before the first step.
  std::string State() const {
    std::string html = "<aside aria-label=\"State of the machine\">\n";
    for (size_t begin = 0; begin < play_.facts.size();) {
      size_t end = begin;
      while (end < play_.facts.size() &&
             play_.facts[end].group == play_.facts[begin].group) {
        ++end;
      }
      absl::StrAppend(&html, Group(begin, end));
      begin = end;
    }
    absl::StrAppend(&html, "</aside>\n");
    return html;
  }

  bool EverChanges(size_t fact) const {
    return std::any_of(
        play_.steps.begin(), play_.steps.end(),
        [fact](const ScheduleStep& step) {
          return std::any_of(
              step.changes.begin(), step.changes.end(),
              [fact](const ScheduleChange& c) { return c.fact == fact; });
        });
  }

  // Of the facts from begin to end; what is nothing all the time is left out.
  std::string Group(size_t begin, size_t end) const {
    std::vector<std::string> subjects;
    std::vector<std::string> names;
    const auto add = [](const std::string& what, std::vector<std::string>* to) {
      if (std::find(to->begin(), to->end(), what) == to->end()) {
        to->push_back(what);
      }
    };
    for (size_t i = begin; i < end; ++i) {
      const ScheduleFact& fact = play_.facts[i];
      const bool nothing = fact.start.empty() || fact.start == "0";
      if (nothing && !EverChanges(i)) continue;
      add(fact.subject, &subjects);
      add(fact.name, &names);
    }
    if (names.empty()) return "";
    const bool alone = subjects.size() == 1 && subjects.front().empty();
    const bool by_subject = names.size() <= 2 && !alone;
    const auto& rows = by_subject ? subjects : names;
    const auto& columns = by_subject ? names : subjects;
    std::string html = absl::StrCat("<h3>", Escaped(play_.facts[begin].group),
                                    "</h3>\n<table>");
    if (!alone) {
      absl::StrAppend(&html, "<thead><tr><td></td>");
      for (const std::string& column : columns) {
        absl::StrAppend(&html, "<th scope=\"col\">", Escaped(column), "</th>");
      }
      absl::StrAppend(&html, "</tr></thead>");
    }
    absl::StrAppend(&html, "<tbody>\n");
    for (const std::string& row : rows) {
      absl::StrAppend(&html,
                      by_subject && play_.facts[begin].is_lock
                          ? "<tr class=\"lock\">"
                          : "<tr>",
                      "<th scope=\"row\">", Escaped(row), "</th>");
      for (const std::string& column : columns) {
        absl::StrAppend(&html, Cell(begin, end, by_subject ? row : column,
                                    by_subject ? column : row));
      }
      absl::StrAppend(&html, "</tr>\n");
    }
    absl::StrAppend(&html, "</tbody></table>\n");
    return html;
  }

  std::string Cell(size_t begin, size_t end, const std::string& subject,
                   const std::string& name) const {
    for (size_t i = begin; i < end; ++i) {
      const ScheduleFact& fact = play_.facts[i];
      if (fact.subject != subject || fact.name != name) continue;
      return absl::StrCat("<td data-f=\"", i, "\">", Escaped(fact.start),
                          "</td>");
    }
    return "<td></td>";
  }

  std::string Data() const {
    Json data;
    data["start"] = Json::array();
    for (const ScheduleFact& fact : play_.facts) {
      data["start"].push_back(fact.start);
    }
    data["numbers"] = Json::array();
    data["who"] = Json::array();
    data["steps"] = Json::array();
    for (const ScheduleStep& step : play_.steps) {
      data["numbers"].push_back(step.number);
      data["who"].push_back(play_.columns[step.column]);
      Json changes = Json::array();
      for (const ScheduleChange& change : step.changes) {
        changes.push_back({change.fact, change.from, change.to});
      }
      data["steps"].push_back(std::move(changes));
    }
    return absl::StrCat("<script class=\"data\" type=\"application/json\">",
                        ScriptJson(data), "</script>\n");
  }

  const SchedulePlay& play_;
  const std::string id_;
  std::vector<size_t> places_;   // of spans
  std::vector<size_t> colours_;  // likewise
  std::vector<std::string> locks_;
  std::vector<size_t> widths_;  // of columns: places used
  std::vector<std::vector<size_t>> by_column_;
};

constexpr absl::string_view kLegend = R"(<footer>
<ul class="legend">
<li><i class="b"></i>holds a lock</li>
<li><i class="b r"></i>holds it to read</li>
<li><i class="b w"></i>waits for it</li>
</ul>
<p>Each row is one step: an operation that other tasks can see, and all that the
task does up to its next one. Bars beside a column are locks, one colour for
each. The tables show the machine after the step; what the step changed is
marked. <kbd>&#8592;</kbd> <kbd>&#8594;</kbd> step, <kbd>Page Up</kbd>
<kbd>Page Down</kbd> go by turns, <kbd>Home</kbd> <kbd>End</kbd> to the
ends.</p>
<p>One step at a time (sequential consistency), on the modelled kernel; no
time is in it.</p>
</footer>
)";

std::string CaseHtml(const ScheduleCase& each, size_t number) {
  const std::string id = absl::StrCat("c", number);
  std::string html = absl::StrCat("<section class=\"case\" id=\"", id,
                                  "\">\n<h2>", Escaped(each.title), "</h2>\n");
  if (!each.lines.empty()) {
    absl::StrAppend(&html, "<details><summary>What the search found</summary>",
                    "<pre>", Escaped(absl::StrJoin(each.lines, "\n")),
                    "</pre></details>\n");
  }
  absl::StrAppend(&html,
                  each.play.has_value()
                      ? PlayWriter(*each.play, id).Html()
                      : absl::StrCat("<p class=\"none\">",
                                     Escaped(each.no_schedule), "</p>\n"),
                  "</section>\n");
  return html;
}

}  // namespace

std::string SchedulePageHtml(const SchedulePage& page) {
  std::string body =
      absl::StrCat("<header>\n<h1>", Escaped(page.title), "</h1>\n");
  if (page.cases.size() > 1) {
    absl::StrAppend(&body, "<nav aria-label=\"Cases\">\n");
    for (size_t i = 0; i < page.cases.size(); ++i) {
      absl::StrAppend(
          &body, "<a href=\"#c", i, "\">", Escaped(page.cases[i].title),
          page.cases[i].play.has_value() ? "" : " (no schedule)", "</a>\n");
    }
    absl::StrAppend(&body, "</nav>\n");
  }
  absl::StrAppend(&body, "</header>\n<main>\n");
  for (size_t i = 0; i < page.cases.size(); ++i) {
    absl::StrAppend(&body, CaseHtml(page.cases[i], i));
  }
  absl::StrAppend(&body, "</main>\n", kLegend);
  return HtmlPage(page.title, kStyle, body, kScript);
}

}  // namespace reapsim
