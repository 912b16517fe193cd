/* study_yaml.h - the nodes of a study file: scalars, numbers, lists, maps.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_STUDY_YAML_H
#define MHO_STUDY_YAML_H

#include <yaml.h>

#include "study/study_impl.h"

/* A study while it is read. */
typedef struct study_reader {
  mho_study *s;
  const mho_registry *r;
  yaml_document_t *doc;
  mho_errinfo *ei;
} study_reader;

/* MHO_ECONFIG with a sentence and the line of a node. */
#define STUDY_FAIL(r, node, ...)                                                                   \
  mho_fail_at((r)->ei, MHO_ECONFIG, (r)->s->file, mho__study_line(node), __VA_ARGS__)

/** The 1-based line of a node. */
int mho__study_line(const yaml_node_t *n);
/** The text of a scalar; NULL for a list or a map. */
const char *mho__study_scalar(const yaml_node_t *n);
/** Whether a node is this word. */
bool mho__study_is_word(const yaml_node_t *n, const char *word);
/** Entries of a list; 0 for what is none. */
int mho__study_list_length(const yaml_node_t *n);
yaml_node_t *mho__study_list_at(const study_reader *r, const yaml_node_t *list, int i);
/** MHO_ENOMEM with a sentence. */
mho_err mho__study_no_memory(const study_reader *r);

/** A number of an entry, which `what` names in messages.
 *  @return MHO_OK; MHO_ECONFIG when it is none, or not from low to high: *out stays as it is. */
mho_err mho__study_number(const study_reader *r, const yaml_node_t *n, const char *what, double low,
                          double high, double *out);
/** The same of a whole number. */
mho_err mho__study_whole(const study_reader *r, const yaml_node_t *n, const char *what, double low,
                         double high, int64_t *out);

/** What is done with an entry of a map; `word` is the key, "" where it is no scalar. */
typedef mho_err (*study_entry)(const study_reader *r, void *user, const char *word,
                               const yaml_node_t *key, const yaml_node_t *value);
/** Go through the entries of a map, in their order, up to the first error; a key that is there
 *  twice is one. */
mho_err mho__study_each(const study_reader *r, const yaml_node_t *map, study_entry entry,
                        void *user);

#endif
