/* deck.c - the text of a netlist as the lines that ngspice takes, after a look for what would crash it.
 *
 * What the library (ngspice 39) does with each trap, and so what is done here:
 *   no element at all                        the first analysis reads a null pointer: refused
 *   "V1 a 0 dc 1 external"                   the same: refused
 *   "V(a" in an expression                   endless messages, then a smashed stack: brackets must balance,
 * and
 *   "{a", "'a"                               no netlist is taken any more: quotes too
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
  char *
      card; /* the card under way: its line and the continuation lines after it, without comments */
  size_t n; /* its length */
  int line; /* 1-based, of its start; 0: no card yet */
  int subckts;   /* .subckt without .ends so far */
  long elements; /* outside of .subckt, files that may bring some included */
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

static mho_err check_balance(const scan *s) {
  int round = 0, curly = 0, quotes = 0;
  bool in_name = false; /* of a file, in double quotes */
  for (const char *p = s->card; *p && round >= 0 && curly >= 0; p++) {
    if (*p == '"')
      in_name = !in_name;
    if (in_name)
      continue;
    round += (*p == '(') - (*p == ')');
    curly += (*p == '{') - (*p == '}');
    quotes ^= *p == '\'';
  }
  const char *what = round > 0   ? "a '(' is not closed"
                     : round < 0 ? "a ')' was not opened"
                     : curly > 0 ? "a '{' is not closed"
                     : curly < 0 ? "a '}' was not opened"
                     : quotes    ? "a quote is not closed"
                                 : NULL;
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
  return mho_fail_at(
      s->ei, MHO_EINVAL, NULL, s->line,
      "external source %s has a value of its own, which crashes ngspice: write '%s n+ n- external'",
      name, name);
}

static mho_err finish_card(scan *s) {
  if (!s->line)
    return MHO_OK;
  int first = tolower((unsigned char)s->card[0]);
  mho_err err = is_word(s->card, ".title") ? MHO_OK : check_balance(s);
  if (err)
    return err;
  if (is_word(s->card, ".subckt"))
    s->subckts++;
  if (is_word(s->card, ".ends") && s->subckts-- == 0)
    return mho_fail_at(s->ei, MHO_EINVAL, NULL, s->line, ".ends without .subckt");
  bool included = is_word(s->card, ".include") || is_word(s->card, ".inc");
  if ((isalpha(first) || included) && s->subckts == 0)
    s->elements++;
  if (first == 'v' || first == 'i')
    err = check_external(s);
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

static mho_err scan_lines(mho_deck *d, scan *s) {
  int control = 0; /* line of an open .control */
  for (int k = 1; k < d->n; k++) {
    char *p = skip_blanks(d->line[k]);
    bool dropped = control || is_word(p, ".control") || !strncmp(p, "*#", 2) || !*p;
    if (is_word(p, ".control") && !control)
      control = k + 1;
    else if (is_word(p, ".endc"))
      control = 0;
    if (dropped)
      d->line[k] = comment;
    if (dropped || *p == '*')
      continue;
    if (*p == '+' && s->line) {
      s->card[s->n++] = ' ';
      add_to_card(s, p + 1);
      continue;
    }
    mho_err err = finish_card(s);
    if (err)
      return err;
    if (is_word(p, ".end")) {
      d->n = k;
      break;
    }
    s->line = k + 1;
    s->n = 0;
    add_to_card(s, p);
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
  for (char *p = d->text; p;) {
    char *next = strchr(p, '\n');
    if (next)
      *next++ = 0;
    p[strcspn(p, "\r")] = 0;
    d->line[d->n++] = p;
    p = next;
  }
}

mho_err mho_deck_make(const char *text, mho_deck *out, mho_errinfo *ei) {
  size_t length = strlen(text),
         lines = 3; /* the last without a newline, .end, and the null pointer */
  for (const char *p = text; (p = strchr(p, '\n')); p++)
    lines++;
  if (lines > INT32_MAX)
    return mho_fail(ei, MHO_EINVAL, "the netlist has too many lines");
  mho_deck d = {.text = mho_alloc(length + 1, 1), .line = mho_alloc(lines, sizeof *d.line)};
  /* a card is never longer than the text: its newlines become blanks */
  scan s = {.card = mho_alloc(length + 2, 1), .ei = ei};
  mho_err err = MHO_ENOMEM;
  if (d.text && d.line && s.card) {
    memcpy(d.text, text, length + 1);
    split(&d);
    err = check(&d, &s);
    d.line[d.n++] = end;
    d.line[d.n] = NULL;
  } else
    mho_fail(ei, err, "no memory for a netlist of %zu characters", length);
  mho_free(s.card);
  if (err)
    mho_deck_free(&d);
  *out = d;
  return err;
}

void mho_deck_free(mho_deck *d) {
  mho_free(d->line);
  mho_free(d->text);
  *d = (mho_deck){0};
}
