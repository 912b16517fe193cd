/* completion.c - what a command line that is being typed may go on with, for the shells: verbs,
 * options, config keys and their values, runs, studies, devices. The shells' scripts are in
 * completion/.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verbs.h"
#include "experiment/known_keys.h"

enum { WORD_MAX = 128, OFFERS_MAX = 2048 };

/* The word under way and what is known of the line. */
typedef struct line {
  const char *typed;  /* of the word */
  const char *before; /* of the same word, in front of that: "--set=" */
  size_t before_length;
  const verb *verb;
  int n; /* words behind the verb that are complete */
  char *const *word;
  mho_registry *registry;
} line;

static bool begins(const char *word, const char *with) {
  return !strncmp(word, with, strlen(with));
}

/* One way to go on, if what is typed leads there. */
static void offer(const line *l, const char *word, const char *meaning) {
  if (!begins(word, l->typed))
    return;
  printf("%.*s%s", (int)l->before_length, l->before, word);
  if (meaning && *meaning)
    printf("\t%.*s", (int)strcspn(meaning, "\n"), meaning);
  putchar('\n');
}

/* Each of the words in a text that bars separate. */
static void offer_words(const line *l, const char *words, const char *meaning) {
  while (*words) {
    char word[WORD_MAX];
    size_t n = strcspn(words, "|");
    snprintf(word, sizeof word, "%.*s", (int)n, words);
    offer(l, word, meaning);
    words += n + (words[n] == '|');
  }
}

/* ---------------------------------------------------------------- the database */

static bool offer_row(void *user, int n, const char *const *names, const mho_cell *cells) {
  bool is_plain = cells && cells[0].text && mho_text_is_plain(cells[0].text);
  if (is_plain)
    offer(user, cells[0].text, n > 1 ? cells[1].text : "");
  return true;
}

/* The value of an option among the words; NULL where it is not given. */
static const char *value_of(const line *l, const char *option) {
  const char *value = NULL;
  size_t n = strlen(option);
  for (int i = 0; i < l->n; i++) {
    bool is_it = !strncmp(l->word[i], option, n);
    if (is_it && l->word[i][n] == '=')
      value = l->word[i] + n + 1;
    else if (is_it && !l->word[i][n] && i + 1 < l->n)
      value = l->word[i + 1];
  }
  return value;
}

/* The first column of an answer. Of a database that cannot be read nothing is offered. */
static void offer_query(const line *l, const char *sql) {
  enum { PATIENCE_S = 1 };
  common_options o = {.db = value_of(l, "--db")};
  mho_store *s;
  if (mho_store_open(database_path(&o), MHO_STORE_READ, &s, NULL))
    return;
  mho_store_query(s, sql, 0, NULL, PATIENCE_S, offer_row, (void *)(uintptr_t)l, NULL);
  mho_store_close(s);
}

static void offer_runs(const line *l) {
  offer(l, "last", "the newest run");
  offer_query(l, "SELECT name, id || ', ' || status, max(started) FROM run WHERE name <> '' "
                 "GROUP BY name ORDER BY max(started) DESC LIMIT 200");
}

static void offer_studies(const line *l) {
  offer_query(l, "SELECT name, 'study' FROM study ORDER BY name LIMIT 200");
}

/* ---------------------------------------------------------------- what is registered */

static void offer_kind(const line *l, mho_kind kind) {
  for (int i = 0; i < mho_registry_count(l->registry, kind); i++) {
    const mho_entry *e = mho_registry_at(l->registry, kind, i);
    offer(l, e->id, e->title);
  }
}

static void offer_cards(const line *l) {
  int n;
  char **cards = mho_cards_list(&n);
  for (int i = 0; i < n; i++) {
    offer(l, cards[i], "card");
    free(cards[i]);
  }
  free(cards);
}

static void offer_kind_words(const line *l) {
  for (int kind = 0; kind < MHO_KIND_COUNT; kind++)
    offer(l, mho_kind_word((mho_kind)kind), "");
  offer(l, "reports", "");
  offer(l, "keys", "every config key");
}

static void offer_section(void *user, const mho_known_key *k) {
  const line *l = user;
  if (!k->param || !strcmp(k->name, k->table.p[0].name))
    offer(l, k->section, "");
}

/* What 'mho list' has of the kind that is named before. */
static void offer_ids(const line *l) {
  const char *word = l->n > 0 ? l->word[l->n - 1] : "";
  for (int kind = 0; kind < MHO_KIND_COUNT; kind++)
    if (!strcmp(word, mho_kind_word((mho_kind)kind)))
      offer_kind(l, (mho_kind)kind);
  if (!strcmp(word, "programs"))
    offer_kind(l, MHO_KIND_SCHEME);
  if (!strcmp(word, "keys"))
    mho__known_keys_visit(l->registry, offer_section, (void *)(uintptr_t)l);
}

static void offer_questions(const line *l) {
  for (int i = 0; i < mho_store_named_count(); i++)
    offer(l, mho_store_named_at(i)->name, mho_store_named_at(i)->title);
}

/* ---------------------------------------------------------------- config keys */

/* Keys that were offered already: several devices have one of the same name. */
typedef struct key_search {
  const line *l;
  bool whole;    /* keys, and not sections first */
  bool assigned; /* a value is to follow */
  int n;
  char seen[OFFERS_MAX][WORD_MAX];
} key_search;

static bool is_new(key_search *s, const char *word) {
  for (int i = 0; i < s->n; i++)
    if (!strcmp(s->seen[i], word))
      return false;
  if (s->n < OFFERS_MAX)
    snprintf(s->seen[s->n++], WORD_MAX, "%s", word);
  return true;
}

static void offer_key(void *user, const mho_known_key *k) {
  key_search *s = user;
  char word[WORD_MAX], meaning[512];
  if (s->whole)
    snprintf(word, sizeof word, "%s.%s%s", k->section, k->name, s->assigned ? "=" : "");
  else
    snprintf(word, sizeof word, "%s.", k->section);
  snprintf(meaning, sizeof meaning, "one of the %s",
           k->kind < MHO_KIND_COUNT ? mho_kind_word(k->kind) : "");
  if (!is_new(s, word))
    return;

  if (s->whole)
    offer(s->l, word, k->param ? k->param->doc : meaning);
  else
    offer(s->l, word, "");
  snprintf(word, sizeof word, "%s=", k->section);
  if (!s->whole && s->assigned && k->implied)
    offer(s->l, word, meaning);
}

/* Values of the key that the line assigns to. */
typedef struct value_search {
  line l; /* whose word begins behind the key's */
  char key[WORD_MAX];
  bool found;
} value_search;

static void offer_value(void *user, const mho_known_key *k) {
  value_search *s = user;
  char key[WORD_MAX];
  snprintf(key, sizeof key, "%s.%s", k->section, k->name);
  bool is_it = !strcmp(key, s->key) || (k->implied && !strcmp(k->section, s->key));
  if (s->found || !is_it)
    return;

  s->found = true;
  if (!k->param)
    offer_kind(&s->l, k->kind);
  else if (k->param->kind == MHO_PARAM_CHOICE)
    offer_words(&s->l, k->param->text, "");
  else if (k->param->kind == MHO_PARAM_BOOL)
    offer_words(&s->l, "true|false", "");
  else if (!strcmp(key, "device.card"))
    offer_cards(&s->l);
}

/* KEY=VALUE, or a KEY alone. */
static void offer_keys(const line *l, bool assigned) {
  const char *equals = assigned ? strchr(l->typed, '=') : NULL;
  if (equals) {
    value_search s = {.l = *l};
    snprintf(s.key, sizeof s.key, "%.*s", (int)(equals - l->typed), l->typed);
    s.l.typed = equals + 1;
    s.l.before_length = (size_t)(s.l.typed - l->before);
    mho__known_keys_visit(l->registry, offer_value, &s);
    return;
  }

  key_search *s = calloc(1, sizeof *s);
  if (!s)
    return;
  *s = (key_search){.l = l, .whole = strchr(l->typed, '.'), .assigned = assigned};
  mho__known_keys_visit(l->registry, offer_key, s);
  free(s);
}

/* ---------------------------------------------------------------- words by what they stand for */

/* A name of something, by the verb that it is a word of. */
static void offer_name(const line *l, const char *place) {
  const char *of = l->verb->name;
  if (!strcmp(of, "device")) {
    offer_kind(l, MHO_KIND_DEVICE);
    if (strcmp(place, "--model"))
      offer_cards(l);
  } else if (!strcmp(of, "data")) {
    offer_kind(l, MHO_KIND_DATASET);
  } else if (!strcmp(of, "query")) {
    offer_questions(l);
  } else if (!strcmp(place, "--study")) {
    offer_studies(l);
  }
}

/* The study of a sweep is a file. */
static void offer_study(const line *l, const char *place) {
  if (strcmp(l->verb->name, "sweep"))
    offer_studies(l);
  else
    puts("<files .yaml>");
}

static void offer_list_kind(const line *l, const char *place) {
  if (!strcmp(l->verb->name, "list"))
    offer_kind_words(l);
}

static void offer_run(const line *l, const char *place) {
  offer_runs(l);
}

static void offer_id(const line *l, const char *place) {
  offer_ids(l);
}

static void offer_assignment(const line *l, const char *place) {
  offer_keys(l, true);
}

static void offer_key_alone(const line *l, const char *place) {
  offer_keys(l, false);
}

/* What stands in usage lines and tables of options for words of a kind. */
static const struct {
  const char *what;
  void (*offer)(const line *l, const char *place);
  const char *say; /* in place of that: what the shell is to offer */
} places[] = {
    {"RUN", offer_run, NULL},        {"STUDY", offer_study, NULL},
    {"NAME", offer_name, NULL},      {"KIND", offer_list_kind, NULL},
    {"ID", offer_id, NULL},          {"KEY=VALUE", offer_assignment, NULL},
    {"KEY,", offer_key_alone, NULL}, {"CONFIG", NULL, "<files .yaml>"},
    {"FILE", NULL, "<files>"},       {"CSV", NULL, "<files>"},
    {"INTO", NULL, "<files>"},       {"FROM", NULL, "<files>"},
    {"FOLDER", NULL, "<folders>"},
};

/* One of the alternatives that a usage line has in the place of a word; those in small letters are
 * the word itself. */
static void offer_place(const line *l, const char *what, const char *place) {
  if (islower((unsigned char)*what))
    offer(l, what, "");
  for (int i = 0; i < MHO_COUNT(places); i++) {
    if (strcmp(what, places[i].what))
      continue;
    if (places[i].say)
      puts(places[i].say);
    else
      places[i].offer(l, place);
  }
}

/* A word of a usage line, "[RUN|FOLDER...]", without what says how often. */
static void plain_place(const char *word, size_t n, char out[WORD_MAX]) {
  size_t length = 0;
  for (size_t i = 0; i < n && length + 1 < WORD_MAX; i++)
    if (!strchr("[].", word[i]))
      out[length++] = word[i];
  out[length] = 0;
}

/* place: of an option "--name", else "". */
static void offer_places(const line *l, const char *words, const char *place) {
  while (*words) {
    char what[WORD_MAX];
    size_t n = strcspn(words, "|");
    snprintf(what, sizeof what, "%.*s", (int)n, words);
    offer_place(l, what, place);
    words += n + (words[n] == '|');
  }
}

/* ---------------------------------------------------------------- options */

/* The option of a verb that a word gives; *value is what stands behind its "=", or NULL. */
static const struct argp_option *option_of(const verb *v, const char *word, const char **value) {
  const char *equals = strchr(word, '=');
  size_t n = equals ? (size_t)(equals - word) : strlen(word);
  *value = NULL;
  for (const struct argp_option *o = v->argp->options; o->name; o++) {
    bool is_short = n == 2 && word[0] == '-' && word[1] == o->key;
    bool is_long = begins(word, "--") && strlen(o->name) == n - 2;
    if (is_long && !strncmp(o->name, word + 2, n - 2) && equals)
      *value = equals + 1;
    if (is_short || (is_long && !strncmp(o->name, word + 2, n - 2)))
      return o;
  }
  return NULL;
}

static void offer_argument(const line *l, const struct argp_option *o) {
  char what[WORD_MAX], place[WORD_MAX];
  plain_place(o->arg, strlen(o->arg), what);
  snprintf(place, sizeof place, "--%s", o->name);
  offer_places(l, what, place);
}

static void offer_options(const line *l) {
  char word[WORD_MAX];
  for (const struct argp_option *o = l->verb->argp->options; o->name; o++) {
    snprintf(word, sizeof word, "--%s%s", o->name, o->arg ? "=" : "");
    if (!(o->flags & OPTION_HIDDEN))
      offer(l, word, o->doc);
  }
  offer(l, "--help", "what the verb does");
}

/* ---------------------------------------------------------------- plain words */

enum { WORDS_MAX = 64 };

/* The words behind the verb that are neither options nor their arguments. */
static int plain_words(const line *l, const char *out[WORDS_MAX]) {
  int n = 0;
  for (int i = 0; i < l->n; i++) {
    const char *value, *word = l->word[i];
    const struct argp_option *o = *word == '-' ? option_of(l->verb, word, &value) : NULL;
    if (o && o->arg && !value)
      i++;
    else if (*word != '-' && n < WORDS_MAX)
      out[n++] = word;
  }
  return n;
}

/* What a usage line, [n] bytes, has in the place behind the given words; "" where it has other
 * words. */
static void place_of(const char *usage, size_t n, int given, const char *const *words,
                     char out[WORD_MAX]) {
  const char *end = usage + n;
  bool repeats = false;
  *out = 0;
  for (int i = 0; i <= given; i++) {
    size_t length = strcspn(usage, " \n");
    if (usage >= end && repeats)
      return;
    if (usage >= end) {
      *out = 0;
      return;
    }

    plain_place(usage, length, out);
    repeats = length > 3 && memchr(usage, '.', length);
    bool is_word = islower((unsigned char)*out) && !strchr(out, '|');
    if (i < given && is_word && strcmp(out, words[i])) {
      *out = 0;
      return;
    }
    usage += length + (usage[length] == ' ');
  }
}

static void offer_plain(const line *l) {
  const char *words[WORDS_MAX], *usage = l->verb->argp->args_doc;
  int given = plain_words(l, words);
  char offered[WORD_MAX] = "";

  while (usage && *usage) {
    size_t n = strcspn(usage, "\n");
    char place[WORD_MAX];
    place_of(usage, n, given, words, place);
    if (*usage != '-' && strcmp(place, offered))
      offer_places(l, place, "");
    snprintf(offered, sizeof offered, "%s", place);
    usage += n + (usage[n] == '\n');
  }
}

/* ---------------------------------------------------------------- the line */

static void offer_verbs(const line *l) {
  for (int i = 0; i < verb_count(); i++)
    offer(l, verb_at(i)->name, verb_at(i)->summary);
  if (*l->typed == '-')
    offer_words(l, "--help|--version", "");
}

/* The word under way, of a verb. */
static void offer_of_verb(line *l) {
  const char *value, *unused;
  const char *last = l->n > 0 ? l->word[l->n - 1] : "";
  const struct argp_option *before = *last == '-' ? option_of(l->verb, last, &unused) : NULL;
  const struct argp_option *own = *l->typed == '-' ? option_of(l->verb, l->typed, &value) : NULL;

  if (before && before->arg && !unused) {
    offer_argument(l, before);
  } else if (own && own->arg && value) {
    l->typed = value;
    l->before_length = (size_t)(value - l->before);
    offer_argument(l, own);
  } else if (*l->typed == '-') {
    offer_options(l);
  } else {
    offer_plain(l);
  }
}

void print_completions(int n, char *const *words) {
  const char *typed = n > 0 ? words[n - 1] : "";
  line l = {.typed = typed, .before = typed};
  if (n > 1) {
    l.verb = verb_find(words[0]);
    l.word = words + 1;
    l.n = n - 2;
  }
  if (n > 1 && !l.verb)
    return;
  if (mho_registry_new(&l.registry, NULL))
    return;

  if (l.verb)
    offer_of_verb(&l);
  else
    offer_verbs(&l);
  mho_registry_free(l.registry);
}
