/* options.c - options and words that several verbs have, and what they mean.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "mho/train.h"

/* ---------------------------------------------------------------- values of options */

long option_number(struct argp_state *state, const char *name, const char *text, long low,
                   long high) {
  char *end;
  errno = 0;
  long v = strtol(text, &end, 10);
  if (end == text || *end || errno || v < low || v > high)
    argp_error(state, "--%s: '%s' is not a whole number from %ld to %ld", name, text, low, high);
  return v;
}

double option_time(struct argp_state *state, const char *name, const char *text) {
  double v = 0;
  mho_errinfo ei;
  if (mho_quantity_parse(text, "s", false, &v, &ei))
    argp_error(state, "--%s: %s (s, min, h, d, mo, y)", name, ei.message);
  if (!(v >= 0))
    argp_error(state, "--%s: '%s' lies before programming", name, text);
  return v;
}

const char *option_choice(struct argp_state *state, const char *name, const char *text, int n,
                          const char *const *words) {
  char all[MHO_TEXT_MAX] = "";
  for (int i = 0; i < n; i++) {
    if (!strcmp(text, words[i]))
      return text;
    if (i > 0)
      mho_text_append(all, sizeof all, "%s", i + 1 < n ? ", " : " or ");
    mho_text_append(all, sizeof all, "%s", words[i]);
  }
  argp_error(state, "--%s: '%s' is not %s", name, text, all);
  return text;
}

void check_uses(int n, const option_use *use, struct argp_state *state) {
  for (int i = 0; i < n; i++)
    if (use[i].given && !use[i].goes)
      argp_error(state, "--%s goes with %s: leave it out", use[i].name, use[i].with);
}

/* ---------------------------------------------------------------- shared options */

void parse_options(const struct argp *argp, int argc, char **argv, void *options) {
  error_t why = argp_parse(argp, argc, argv, 0, NULL, options);
  if (!why)
    return;
  fprintf(stderr, "%s: cannot take the options: %s\n", argv[0], strerror(why));
  exit(EXIT_FAILED);
}

bool is_same_file(const char *a, const char *b) {
  struct stat of_a, of_b;
  if (stat(a, &of_a) || stat(b, &of_b))
    return false;
  return of_a.st_dev == of_b.st_dev && of_a.st_ino == of_b.st_ino && S_ISREG(of_a.st_mode);
}

/* argp gives all words at once, behind the options. What a word names is read, and so not written
 * over. */
static error_t take_words(common_options *o, struct argp_state *state) {
  o->word = state->argv + state->next;
  o->n_words = state->argc - state->next;
  if (o->n_words > o->max_words)
    argp_error(state, "too many words: '%s'", o->word[o->max_words]);

  for (int i = 0; o->out && i < o->n_words; i++)
    if (is_same_file(o->out, o->word[i]))
      argp_error(state, "--out: '%s' is what is read: give another file", o->out);
  return 0;
}

/* A file that is written anew, but for run databases, which would be lost. */
static void take_out(common_options *o, const char *path, struct argp_state *state) {
  static const char magic[] = "SQLite format 3";
  char head[sizeof magic] = "";
  struct stat st;
  bool is_file = !stat(path, &st) && S_ISREG(st.st_mode); /* a pipe would wait to be read */
  FILE *f = is_file ? fopen(path, "rb") : NULL;
  size_t n = f ? fread(head, 1, sizeof head, f) : 0;
  if (f)
    fclose(f);

  if (n == sizeof magic && !memcmp(head, magic, sizeof magic))
    argp_error(state, "--out: '%s' is a database, whose runs would be lost: give another file",
               path);
  o->out = path;
}

static error_t take_run(common_options *o, const char *word, struct argp_state *state) {
  if (o->run)
    argp_error(state, "one RUN, not also '%s'", word);
  o->run = word;
  return 0;
}

error_t common_option(common_options *o, int key, char *arg, struct argp_state *state) {
  switch (key) {
  case OPTION_DB:
    o->db = arg;
    return 0;
  case OPTION_OUT:
    take_out(o, arg, state);
    return 0;
  case OPTION_JSON:
    o->json = true;
    return 0;
  case OPTION_CSV:
    o->csv = true;
    return 0;
  case OPTION_STRICT:
    o->strict = true;
    return 0;
  case OPTION_THREADS:
    o->threads = (int)option_number(state, "threads", arg, 1, 1024);
    return 0;
  case OPTION_SET:
    if (o->n_set == MAX_SET)
      argp_error(state, "more than %d --set options", MAX_SET);
    o->set[o->n_set++] = arg;
    return 0;

  case ARGP_KEY_ARG:
    return o->verb && !o->max_words ? take_run(o, arg, state) : ARGP_ERR_UNKNOWN;
  case ARGP_KEY_ARGS:
    return o->max_words ? take_words(o, state) : ARGP_ERR_UNKNOWN;
  case ARGP_KEY_END:
    if (o->verb && !o->run)
      argp_error(state,
                 "%s which run? an id, a name, an id prefix, or last ('mho runs' lists them)",
                 o->verb);
    return 0;
  default:
    return ARGP_ERR_UNKNOWN;
  }
}

const char *option_word(const common_options *o, int i) {
  return i < o->n_words ? o->word[i] : NULL;
}

/* ---------------------------------------------------------------- the meaning of words */

static bool ends_in(const char *word, const char *end) {
  size_t n = strlen(word), m = strlen(end);
  return n >= m && !strcmp(word + n - m, end);
}

static bool is_folder_path(const char *word) {
  struct stat st;
  return !stat(word, &st) && S_ISDIR(st.st_mode);
}

bool names_config(const char *word) {
  if (ends_in(word, ".yaml") || ends_in(word, ".yml"))
    return true;
  return strchr(word, '/') && !access(word, R_OK) && !is_folder_path(word);
}

mho_err find_folder(const char *word, const char *option, char path[MHO_TEXT_MAX], bool *is_folder,
                    mho_errinfo *ei) {
  *is_folder = is_folder_path(word);
  if (!*is_folder && mho_network_file_is(word) && !access(word, F_OK))
    return mho_fail(ei, MHO_EINVAL,
                    "%s'%s' is a network of another program: mho import makes it a run", option,
                    word);
  if (!*is_folder)
    return MHO_OK;

  char *whole = realpath(word, NULL);
  bool fits = whole && strlen(whole) < MHO_TEXT_MAX;
  if (fits)
    snprintf(path, MHO_TEXT_MAX, "%s", whole);
  free(whole);
  if (!fits)
    return mho_fail(ei, MHO_EINVAL, "%sthe folder's path is longer than %d characters", option,
                    MHO_TEXT_MAX - 1);
  return MHO_OK;
}

const char *database_path(const common_options *o) {
  return o->db ? o->db : DEFAULT_DB;
}

mho_err open_database(const common_options *o, mho_store_mode mode, mho_store **out,
                      mho_errinfo *ei) {
  return mho_store_open(database_path(o), mode, out, ei);
}

mho_err open_stored(const common_options *o, mho_store_mode mode, mho_store **out,
                    mho_errinfo *ei) {
  bool is_missing = access(database_path(o), F_OK) != 0;
  return open_database(o, is_missing ? MHO_STORE_READ : mode, out, ei);
}

mho_err read_experiment(const mho_registry *r, const char *file, int n, const char *const *set,
                        mho_experiment **out, mho_errinfo *ei) {
  mho_config *c = NULL;
  *out = NULL;
  mho_err err = mho_config_load(file, n, set, &c, ei);
  if (!err)
    err = mho_experiment_new(r, c, false, out, ei);
  mho_config_free(c);
  return err;
}
