/* manual.c - manual pages in the language of man(7), from the tables that --help is made of.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"

/* ---------------------------------------------------------------- text */

/* n bytes of text: a backslash and a hyphen, which is to be found and copied, are escaped. */
static void print_bytes(const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) {
    if (text[i] == '\\')
      fputs("\\e", stdout);
    else if (text[i] == '-')
      fputs("\\-", stdout);
    else
      putchar(text[i]);
  }
}

/* A line of text, which a dot or an apostrophe at its start would make a request. */
static void print_line(const char *text, size_t n) {
  if (n > 0 && (*text == '.' || *text == '\''))
    fputs("\\&", stdout);
  print_bytes(text, n);
  putchar('\n');
}

static void print_text(const char *text) {
  print_line(text, strlen(text));
}

static void print_upper(const char *text) {
  for (; *text; text++)
    putchar(toupper((unsigned char)*text));
}

/* ---------------------------------------------------------------- the text of a verb */

/* What a line of a verb's text is. */
typedef enum line_kind { LINE_EMPTY, LINE_EXAMPLES, LINE_VERBATIM, LINE_ITEM, LINE_TEXT } line_kind;

static bool begins(const char *line, const char *with) {
  return !strncmp(line, with, strlen(with));
}

/* Length of the word that a line explains, "check    looks at every page": 0 where it is none. */
static size_t item_length(const char *line, size_t n) {
  size_t word = strcspn(line, " \n");
  bool explains = word > 0 && word + 2 < n && line[word] == ' ' && line[word + 1] == ' ';
  return explains && islower((unsigned char)*line) ? word : 0;
}

static line_kind kind_of(const char *line, size_t n) {
  if (n == 0)
    return LINE_EMPTY;
  if (begins(line, "Example:") || begins(line, "Examples:"))
    return LINE_EXAMPLES;
  if (begins(line, "  "))
    return LINE_VERBATIM;
  return item_length(line, n) > 0 ? LINE_ITEM : LINE_TEXT;
}

/* What was printed before a line. */
typedef struct printed {
  line_kind last;
  bool any;    /* something was */
  bool parted; /* an empty line followed it */
} printed;

/* One line that is not empty. */
static void print_one(const char *line, size_t n, line_kind kind, printed *p) {
  bool begins_verbatim = kind == LINE_VERBATIM && (!p->any || p->last != LINE_VERBATIM);
  bool is_parted = p->parted || (begins_verbatim && p->any);
  if (p->last == LINE_VERBATIM && p->any && (kind != LINE_VERBATIM || p->parted))
    fputs(".EE\n", stdout);
  if (is_parted && kind != LINE_ITEM)
    fputs(".PP\n", stdout);
  if (kind == LINE_VERBATIM && (begins_verbatim || p->parted))
    fputs(".EX\n", stdout);

  size_t skipped = kind == LINE_VERBATIM ? 2 : 0;
  if (kind == LINE_ITEM) {
    skipped = item_length(line, n);
    printf(".TP\n.B %.*s\n", (int)skipped, line);
    skipped += strspn(line + skipped, " ");
  }
  print_line(line + skipped, n - skipped);
  *p = (printed){.last = kind, .any = true};
}

/* The lines of a text that are examples, or those that are not. A first line that is not indented
 * ends the examples. */
static void print_part(const char *text, bool examples, printed *p) {
  bool in_examples = false;

  while (*text) {
    size_t n = strcspn(text, "\n");
    line_kind kind = kind_of(text, n);
    if (kind == LINE_EXAMPLES)
      in_examples = true;
    else if (kind == LINE_TEXT || kind == LINE_ITEM)
      in_examples = false;

    bool is_mine = in_examples == examples && kind != LINE_EXAMPLES;
    if (is_mine && kind == LINE_EMPTY)
      p->parted = p->any;
    else if (is_mine)
      print_one(text, n, kind, p);
    text += n + (text[n] == '\n');
  }
  if (p->any && p->last == LINE_VERBATIM)
    fputs(".EE\n", stdout);
}

/* The description of a verb, up to a \v and after it. */
static void print_description(const char *doc) {
  const char *more = strchr(doc, '\v');
  print_line(doc, more ? (size_t)(more - doc) : strlen(doc));
  if (more)
    print_part(more + 1, false, &(printed){.last = LINE_TEXT, .any = true, .parted = true});
}

static void print_examples(const char *doc) {
  const char *more = strchr(doc, '\v');
  if (more)
    print_part(more + 1, true, &(printed){.any = false});
}

/* ---------------------------------------------------------------- sections */

static void print_head(const char *name, const char *summary) {
  fputs(".\\\" Written by mho \\-\\-man from the tables of its options.\n.TH MHO", stdout);
  if (name) {
    putchar('-');
    print_upper(name);
  }
  printf(" 1 \"\" \"mho %s\" \"mho\"\n.SH NAME\nmho%s%s \\- ", mho_version(), name ? "\\-" : "",
         name ? name : "");
  print_text(summary);
}

static void print_synopsis(const verb *v) {
  const char *args = v->argp->args_doc ? v->argp->args_doc : "";
  fputs(".SH SYNOPSIS\n", stdout);
  do {
    size_t n = strcspn(args, "\n");
    printf(".B mho %s\n[\\fIOPTION\\fR...] ", v->name);
    print_line(args, n);
    args += n + (args[n] == '\n');
    if (*args)
      fputs(".br\n", stdout);
  } while (*args);
}

static void print_option(const struct argp_option *o) {
  fputs(".TP\n", stdout);
  if (o->key > ' ' && o->key < 0x7f)
    printf("\\fB\\-%c\\fR, ", o->key);
  fputs("\\fB\\-\\-", stdout);
  print_bytes(o->name, strlen(o->name));
  fputs("\\fR", stdout);
  if (o->arg) {
    fputs("=\\fI", stdout);
    print_bytes(o->arg, strlen(o->arg));
    fputs("\\fR", stdout);
  }
  putchar('\n');
  print_text(o->doc);
}

static void print_options(const verb *v) {
  fputs(".SH OPTIONS\n", stdout);
  for (const struct argp_option *o = v->argp->options; o->name; o++)
    if (!(o->flags & OPTION_HIDDEN))
      print_option(o);
  fputs(".TP\n\\fB\\-?\\fR, \\fB\\-\\-help\\fR\nSay all of this in short.\n"
        ".TP\n\\fB\\-\\-usage\\fR\nName the options only.\n",
        stdout);
}

static void print_exit_codes(void) {
  fputs(
      ".SH EXIT STATUS\n.TP\n.B 0\nDone.\n.TP\n.B 1\nThe run failed, or the disk did.\n"
      ".TP\n.B 2\nBad input: one sentence on standard error says what and where, and what to do.\n"
      ".TP\n.B 130\nInterrupted; what was done until then is kept.\n",
      stdout);
}

static bool has_option(const verb *v, const char *name) {
  for (const struct argp_option *o = v->argp->options; o->name; o++)
    if (!strcmp(o->name, name))
      return true;
  return false;
}

/* The files and the environment of the command, or of what a verb uses of them. */
static void print_files(const verb *v) {
  bool has_db = !v || has_option(v, "db");
  bool has_data = !v || has_option(v, "set") || !strcmp(v->name, "data");
  if (has_db || has_data)
    fputs(".SH FILES\n", stdout);
  if (has_db)
    fputs(".TP\n.I results/runs.db\nRuns and all that is known of them, an SQLite database, unless "
          "\\fB\\-\\-db\\fR names another one.\n",
          stdout);
  if (has_data)
    fputs(".TP\n.I ~/.cache/mho/NAME\nA dataset, as \\fBmho data fetch\\fR leaves it.\n"
          ".SH ENVIRONMENT\n.TP\n.B MHO_DATA\nA folder of datasets, each a folder of its name; it "
          "is looked at before \\fI~/.cache/mho\\fR.\n",
          stdout);
  if (!v)
    fputs(".TP\n.B OPENBLAS_CORETYPE\nThe kernels of matrix products, where those that mho picks "
          "are not wanted.\n",
          stdout);
}

/* Whether a text names the command "mho NAME". */
static bool names(const char *text, const char *name) {
  char command[64];
  snprintf(command, sizeof command, "mho %s", name);
  size_t n = strlen(command);
  for (const char *at = text ? strstr(text, command) : NULL; at; at = strstr(at + n, command))
    if (!isalnum((unsigned char)at[n]))
      return true;
  return false;
}

/* Whether anything that a verb says names another one. */
static bool speaks_of(const verb *v, const char *name) {
  bool found = names(v->argp->doc, name);
  for (const struct argp_option *o = v->argp->options; o->name; o++)
    found = found || names(o->doc, name);
  return found;
}

/* Other pages: of the verbs that this page speaks of; of all verbs on that of the command. */
static void print_see_also(const verb *v) {
  fputs(".SH SEE ALSO\n", stdout);
  if (v)
    fputs(".BR mho (1)", stdout);
  for (int i = 0; i < verb_count(); i++) {
    const verb *other = verb_at(i);
    if (v && (other == v || !speaks_of(v, other->name)))
      continue;
    printf("%s.BR mho\\-%s (1)", v || i ? ",\n" : "", other->name);
  }
  putchar('\n');
}

/* ---------------------------------------------------------------- pages */

static void print_verb_page(const verb *v) {
  print_head(v->name, v->summary);
  print_synopsis(v);
  fputs(".SH DESCRIPTION\n", stdout);
  print_description(v->argp->doc);
  print_options(v);
  fputs(".SH EXAMPLES\n", stdout);
  print_examples(v->argp->doc);
  print_exit_codes();
  print_files(v);
  print_see_also(v);
}

static void print_command_page(void) {
  print_head(NULL, "neural networks that live in analog hardware and learn there");
  fputs(".SH SYNOPSIS\n.B mho\n\\fIVERB\\fR [\\fIOPTION\\fR...]\n.br\n.B mho \\-\\-help\n.br\n"
        ".B mho \\-\\-version\n[\\fB\\-v\\fR]\n"
        ".SH DESCRIPTION\nWeights are conductances of memristive devices in crossbar arrays, "
        "neurons are circuits that settle to an equilibrium, and learning happens by voltage "
        "pulses. A config says what is trained, on what hardware and how; every run is kept in a "
        "database, which all verbs read. Each verb has a page of its own.\n"
        ".SH VERBS\n",
        stdout);
  for (int i = 0; i < verb_count(); i++) {
    printf(".TP\n.B %s\n", verb_at(i)->name);
    print_text(verb_at(i)->summary);
  }

  fputs(".SH CONFIGS\nA config is YAML: sections of keys, of which physical quantities have a "
        "unit. Any key may be given on the command line, "
        "\\fB\\-\\-set device.g_max=\\(aq50 uS\\(aq\\fR. \\fBmho train \\-\\-print\\-config\\fR "
        "prints every key with its default, its range and what it means, "
        "\\fBmho list keys\\fR all that there are.\n"
        ".SH EXAMPLES\n.EX\nmho train\nmho train \\-\\-set device=soft_bounds \\-\\-set "
        "update.scheme=accumulate\nmho runs\nmho report last \\-o last.html\n.EE\n",
        stdout);
  print_exit_codes();
  print_files(NULL);
  print_see_also(NULL);
}

void print_manual(const verb *v) {
  if (v)
    print_verb_page(v);
  else
    print_command_page();
}
