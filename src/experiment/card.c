/* card.c - device cards: published devices whose keys are the defaults of the config's device
 * section.
 *
 * A card is a YAML file with a `card:` section that says what it is (title, source, valid, note)
 * and a `device:` section of ordinary config keys. `device.card` names it: a file, as given or
 * beside the config that names it, or one of the cards that come with mho.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "experiment/config_file.h"
#include "mho_config.h"

static const char *const folders[] = {MHO_MODELS_INSTALLED, MHO_MODELS_SOURCE};
static const char *const about[] = {"card.title", "card.source", "card.valid", "card.note"};

static bool is_readable(const char *path) {
  return access(path, R_OK) == 0;
}

/* Whether a name ends as the files of cards do, with something before that. */
static bool is_yaml(const char *name) {
  size_t n = strlen(name);
  return n > 5 && !strcmp(name + n - 5, ".yaml");
}

/* "models/x.yaml", "x.yaml" and "x" all name the card x. */
static void plain_name(const char *card, char *out, size_t n) {
  snprintf(out, n, "%s", strncmp(card, "models/", 7) ? card : card + 7);
  if (is_yaml(out))
    out[strlen(out) - 5] = 0;
}

mho_err mho_card_find(const char *card, const char *beside, char *path, size_t n, mho_errinfo *ei) {
  bool is_file = strchr(card, '/') || is_yaml(card);
  const char *slash = beside ? strrchr(beside, '/') : NULL;
  char name[MHO_TEXT_MAX];

  /* A file, as given or beside the config. */
  snprintf(path, n, "%s", card);
  if (is_file && is_readable(path))
    return MHO_OK;
  if (slash && *card != '/') {
    snprintf(path, n, "%.*s/%s", (int)(slash - beside), beside, card);
    if (is_file && is_readable(path))
      return MHO_OK;
  }

  /* One of those that come with mho. */
  plain_name(card, name, sizeof name);
  int n_folders = strchr(name, '/') ? 0 : MHO_COUNT(folders);
  for (int i = 0; i < n_folders; i++) {
    snprintf(path, n, "%s/%s.yaml", folders[i], name);
    if (is_readable(path))
      return MHO_OK;
  }
  return mho_fail(ei, MHO_ENOTFOUND,
                  "there is no device card '%s'%s; 'mho device list' names those of mho", card,
                  is_file ? ", neither here nor beside the config" : "");
}

void mho__card_beside(char *text, const char *file) {
  const char *slash = strrchr(file, '/');
  char path[2 * MHO_TEXT_MAX];
  if (!slash || *text == '/' || !*text || is_readable(text))
    return;

  int n = snprintf(path, sizeof path, "%.*s/%s", (int)(slash - file), file, text);
  if (n > 0 && n < MHO_TEXT_MAX && is_readable(path))
    memcpy(text, path, (size_t)n + 1);
}

/* A card says what it is and what the device is, no more. */
static mho_err check_sections(const char *path, const mho_config *card, mho_errinfo *ei) {
  for (int i = 0; i < card->n; i++) {
    const mho_config_key *k = &card->key[i];
    bool known = !strncmp(k->path, "device.", 7) && strcmp(k->path, "device.card");
    for (int j = 0; j < MHO_COUNT(about); j++)
      known |= !strcmp(k->path, about[j]);
    if (!known)
      return mho_fail_at(
          ei, MHO_ECONFIG, k->file, k->line,
          "unknown key %s in a device card: it has card.title, source, valid and note, "
          "and keys of the device section",
          k->path);
  }

  if (!mho__config_find(card, "device.model"))
    return mho_fail_at(ei, MHO_ECONFIG, path, 0, "a device card must name its device.model");
  return MHO_OK;
}

mho_err mho_card_read(const char *path, mho_config **out, mho_errinfo *ei) {
  mho_err err = mho_config_new(out, ei);
  if (!err)
    err = mho_config_file(*out, path, ei);
  if (!err)
    err = check_sections(path, *out, ei);

  if (err) {
    mho_config_free(*out);
    *out = NULL;
  }
  return err;
}

/* Which of the card's model and the config's own counts: the one of --set, or they must agree.
 * drop: the card has no say. */
static mho_err choose_model(mho_config *c, const mho_config *card, const mho_config_key *named,
                            bool *drop, mho_errinfo *ei) {
  const mho_config_key *own = mho__config_find(c, "device.model");
  const mho_config_key *its = mho__config_find(card, "device.model");
  *drop = false;
  if (!own || !strcmp(own->text, its->text))
    return MHO_OK;

  if (named->is_override && !own->is_override)
    return mho__config_put(c, "device.model", its->text, false, named->file, named->line, true, ei);
  if (own->is_override && !named->is_override) {
    *drop = true;
    return MHO_OK;
  }
  return mho_fail_at(
      ei, MHO_ECONFIG, own->file, own->line,
      "device.model is '%s', but the card '%s' describes a device of '%s': drop one of them",
      own->text, named->text, its->text);
}

/* Add the card's keys of the device section; those of the config's own win, unless it is a stored
 * one. */
static mho_err add_keys(mho_config *c, const mho_config *card, bool bare, mho_errinfo *ei) {
  mho_err err = MHO_OK;

  for (int i = 0; i < card->n; i++) {
    const mho_config_key *k = &card->key[i], *own = mho__config_find(c, k->path);
    bool wins = own && (!bare || own->is_override);
    if (err)
      break;
    if (strncmp(k->path, "device.", 7) || wins)
      continue;

    err = mho__config_put(c, k->path, k->text, k->is_list, k->file, k->line,
                          own && own->is_override, ei);
  }
  return err;
}

mho_err mho__card_apply(mho_config *c, bool bare, mho_errinfo *ei) {
  const mho_config_key *named = mho__config_find(c, "device.card");
  if (!named || !*named->text || ((bare || c->resolved) && !named->is_override))
    return MHO_OK; /* a stored config has the card's values already */

  char path[2 * MHO_TEXT_MAX];
  mho_errinfo why = {0};
  mho_config *card = NULL;
  bool drop = false;
  mho_err err = mho_card_find(named->text, named->file, path, sizeof path, &why);
  if (err)
    return mho_fail_at(ei, MHO_ECONFIG, named->file, named->line, "device.card: %s", why.message);

  err = mho_card_read(path, &card, ei);
  if (err)
    return err;

  err = choose_model(c, card, named, &drop, ei);
  if (!err && drop)
    err = mho__config_put(c, "device.card", "", false, "--set device.model", 0, true, ei);
  else if (!err)
    err = add_keys(c, card, bare, ei);
  mho_config_free(card);
  return err;
}

/* ---------------------------------------------------------------- those that come with mho */

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A list of *n names with one more, without its last five characters (".yaml"); the list as it was
 * when there is no memory. */
static char **add_name(char **list, int *n, const char *file) {
  char **grown = realloc(list, (size_t)(*n + 1) * sizeof *list);
  if (!grown)
    return list;
  grown[*n] = strndup(file, strlen(file) - 5);
  if (grown[*n])
    (*n)++;
  return grown;
}

static char **list_folder(const char *folder, int *n) {
  char **list = NULL;
  DIR *d = opendir(folder);
  if (!d)
    return NULL;

  for (struct dirent *e = readdir(d); e; e = readdir(d))
    if (is_yaml(e->d_name))
      list = add_name(list, n, e->d_name);

  closedir(d);
  return list;
}

char **mho_cards_list(int *n) {
  char **list = NULL;
  *n = 0;
  for (int f = 0; f < MHO_COUNT(folders); f++) {
    list = list_folder(folders[f], n);
    if (*n)
      break;
    free(list);
    list = NULL;
  }

  if (*n)
    qsort(list, (size_t)*n, sizeof *list, by_name);
  return list;
}

const char *mho_card_text(const mho_config *card, const char *what) {
  const mho_config_key *k = mho__config_find_in(card, "card", what);
  return k ? k->text : "";
}
