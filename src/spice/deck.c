/* deck.c - a netlist as the lines that ngspice takes, without what would crash it.
 *
 * What the library (ngspice 39) does with each trap, and so what is done here:
 *   no element at all                        the first analysis reads a null pointer: refused
 *   "V1 a 0 dc 1 external"                   the same: refused
 *   "V(a" in an expression, "{a", "'a"       endless messages, then a smashed stack, and no netlist
 *                                            is taken any more: brackets must balance, and quotes
 *   .subckt without .ends, .ends alone       refused before ngspice gives up on them
 *   "*ng_script" as the title                the whole text is run as commands: refused
 *   "quit" in a .control block, "*#quit"     the next call crashes: commands are left out
 *   a blank title                            the first element becomes the title: replaced
 *
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "spice/deck.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static char comment[] = "*", untitled[] = "* untitled", end[] = ".end";

typedef struct scan {
  /* The card under way: its line and the continuation lines after it, without comments. */
  char *card;
  size_t n; /* its length */
  int line; /* 1-based, of its start; 0: no card yet */

  int subckts; /* .subckt without .ends so far */

  /* Those outside of .subckt, and included files, which may bring some. */
  long elements;
  mho_errinfo *ei;
} scan;

static char *skip_blanks(char *p) {
  return p + strspn(p, " \t");
}

static bool is_word(const char *line, const char *word) {
  size_t n = strlen(word);
  return !strncasecmp(line, word, n) && (!line[n] || isspace((unsigned char)line[n]));
}

/* Length of the line without a comment at its end: ";", "//", or "$" after a blank or a comma. */
static size_t without_comment(const char *line) {
  for (size_t i = 0; line[i]; i++) {
    if (line[i] == ';' || (line[i] == '/' && line[i + 1] == '/'))
      return i;
    if (line[i] == '$' && (!i || strchr(" \t,", line[i - 1])))
      return i;
  }
  return strlen(line);
}

/* ---------------------------------------------------------------- one card */

/* What is wrong with brackets and quotes that have been counted; NULL: nothing. */
static const char *imbalance(int round, int curly, int quotes) {
  if (round > 0)
    return "a '(' is not closed";
  if (round < 0)
    return "a ')' was not opened";
  if (curly > 0)
    return "a '{' is not closed";
  if (curly < 0)
    return "a '}' was not opened";
  return quotes ? "a quote is not closed" : NULL;
}

static mho_err check_balance(const scan *s) {
  int round = 0, curly = 0, quotes = 0;
  bool in_name = false; /* of a file, in double quotes */

  for (const char *p = s->card; *p; p++) {
    if (round < 0 || curly < 0)
      break;
    if (*p == '"')
      in_name = !in_name;
    if (in_name)
      continue;

    round += (*p == '(') - (*p == ')');
    curly += (*p == '{') - (*p == '}');
    quotes ^= *p == '\'';
  }

  const char *what = imbalance(round, curly, quotes);
  if (!what)
    return MHO_OK;
  return mho_fail_at(s->ei, MHO_EINVAL, NULL, s->line,
                     "%s in '%.60s': ngspice would not survive it", what, s->card);
}

/* An external source is "V1 a 0 external" and nothing else. Cuts the card into words. */
static mho_err check_external(scan *s) {
  char name[32], *save = NULL;
  int words = 0, at = 0;
  snprintf(name, sizeof name, "%.*s", (int)strcspn(s->card, " \t"), s->card);

  for (char *w = strtok_r(s->card, " \t,=()", &save); w; w = strtok_r(NULL, " \t,=()", &save)) {
    words++;
    if (!strcasecmp(w, "external") && words > 3)
      at = words;
  }

  if (!at || (at == 4 && words == 4))
    return MHO_OK;
  return mho_fail_at(s->ei, MHO_EINVAL, NULL, s->line,
                     "external source %s has a value of its own, which crashes ngspice: "
                     "write '%s n+ n- external'",
                     name, name);
}

static mho_err finish_card(scan *s) {
  if (!s->line)
    return MHO_OK;

  if (!is_word(s->card, ".title")) {
    mho_err err = check_balance(s);
    if (err)
      return err;
  }

  if (is_word(s->card, ".subckt"))
    s->subckts++;
  if (is_word(s->card, ".ends")) {
    if (s->subckts == 0)
      return mho_fail_at(s->ei, MHO_EINVAL, NULL, s->line, ".ends without .subckt");
    s->subckts--;
  }

  int first = tolower((unsigned char)s->card[0]);
  bool included = is_word(s->card, ".include") || is_word(s->card, ".inc");
  if ((isalpha(first) || included) && s->subckts == 0)
    s->elements++;

  mho_err err = first == 'v' || first == 'i' ? check_external(s) : MHO_OK;
  s->line = 0;
  return err;
}

static void add_to_card(scan *s, const char *p) {
  size_t n = without_comment(p);
  memcpy(s->card + s->n, p, n);
  s->n += n;
  s->card[s->n] = 0;
}

/* ---------------------------------------------------------------- the text */

/* Whether a line is left out of the deck: blank, a command in a comment, in a .control block, whose
 * first line is number *control (0: none is open). */
static bool is_dropped(const char *p, int number, int *control) {
  bool starts = is_word(p, ".control");
  bool dropped = *control || starts || !strncmp(p, "*#", 2) || !*p;

  if (starts && !*control)
    *control = number;
  else if (is_word(p, ".endc"))
    *control = 0;
  return dropped;
}

/* One line that is no comment; *last: it ends the netlist. */
static mho_err scan_line(scan *s, int number, const char *p, bool *last) {
  if (*p == '+' && s->line) {
    s->card[s->n] = ' ';
    s->n++;
    add_to_card(s, p + 1);
    return MHO_OK;
  }

  mho_err err = finish_card(s);
  if (err)
    return err;

  *last = is_word(p, ".end");
  if (*last)
    return MHO_OK;

  s->line = number;
  s->n = 0;
  add_to_card(s, p);
  return MHO_OK;
}

static mho_err scan_lines(mho_deck *d, scan *s) {
  int control = 0;

  for (int k = 1; k < d->n; k++) {
    const char *p = skip_blanks(d->line[k]);
    bool dropped = is_dropped(p, k + 1, &control);
    if (dropped)
      d->line[k] = comment;
    if (dropped || *p == '*')
      continue;

    bool last = false;
    mho_err err = scan_line(s, k + 1, p, &last);
    if (err)
      return err;
    if (last)
      d->n = k;
  }

  if (control)
    return mho_fail_at(s->ei, MHO_EINVAL, NULL, control, ".control without .endc");
  return finish_card(s);
}

static mho_err check(mho_deck *d, scan *s) {
  char *title = skip_blanks(d->line[0]);
  if (!strncasecmp(title, "*ng_script", 10))
    return mho_fail_at(s->ei, MHO_EINVAL, NULL, 1,
                       "this is a script of ngspice commands, not a netlist");
  if (!*title)
    d->line[0] = untitled;

  mho_err err = scan_lines(d, s);
  if (err)
    return err;

  if (s->subckts)
    return mho_fail(s->ei, MHO_EINVAL, ".subckt without .ends");
  if (!s->elements)
    return mho_fail(s->ei, MHO_EINVAL,
                    "the netlist has no element: the first line is the title, elements follow it");
  return MHO_OK;
}

static void split(mho_deck *d) {
  char *p = d->text;
  while (p) {
    char *next = strchr(p, '\n');
    if (next) {
      *next = 0;
      next++;
    }

    p[strcspn(p, "\r")] = 0;
    d->line[d->n] = p;
    d->n++;
    p = next;
  }
}

/* Lines of the deck at the most: beside those that end in a newline the last one, .end, and the
 * null pointer. */
static size_t count_lines(const char *text) {
  size_t lines = 3;
  for (const char *p = strchr(text, '\n'); p; p = strchr(p + 1, '\n'))
    lines++;
  return lines;
}

static mho_err make(mho_deck *d, scan *s, const char *text, size_t length) {
  memcpy(d->text, text, length + 1);
  split(d);
  mho_err err = check(d, s);

  d->line[d->n] = end;
  d->n++;
  d->line[d->n] = NULL;
  return err;
}

mho_err mho__deck_make(const char *text, mho_deck *out, mho_errinfo *ei) {
  size_t length = strlen(text), lines = count_lines(text);

  if (lines > INT32_MAX)
    return mho_fail(ei, MHO_EINVAL, "the netlist has too many lines");

  mho_deck d = {.text = mho_alloc(length + 1, 1), .line = mho_alloc(lines, sizeof *d.line)};
  /* a card is never longer than the text: its newlines become blanks */
  scan s = {.card = mho_alloc(length + 2, 1), .ei = ei};

  mho_err err;
  if (d.text && d.line && s.card)
    err = make(&d, &s, text, length);
  else
    err = mho_fail(ei, MHO_ENOMEM, "no memory for a netlist of %zu characters", length);

  mho_free(s.card);
  if (err)
    mho__deck_free(&d);
  *out = d;
  return err;
}

void mho__deck_free(mho_deck *d) {
  mho_free(d->line);
  mho_free(d->text);
  *d = (mho_deck){0};
}
