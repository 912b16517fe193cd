/* experiment.h - a config, validated: what is trained, on what hardware, how.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_EXPERIMENT_H
#define MHO_EXPERIMENT_H

#include "mho/data.h"

/** A validated config: what is chosen of every kind, with its parameters (mho/model/check.h). */
typedef struct mho_experiment mho_experiment;
/** What a registered thing says of itself (mho/model/entry.h). */
typedef struct mho_entry mho_entry;

/* ---------------------------------------------------------------- registry */

/** X(KIND, plural word of `mho list`, type) */
#define MHO_KINDS(X)                                                                               \
  X(DATASET, "datasets", mho_dataset_kind)                                                         \
  X(TOPOLOGY, "topologies", mho_topology)                                                          \
  X(NEURON, "neurons", mho_neuron)                                                                 \
  X(DYNAMICS, "dynamics", mho_dynamics)                                                            \
  X(SETTLER, "settlers", mho_settler)                                                              \
  X(RULE, "rules", mho_rule)                                                                       \
  X(OPTIMIZER, "optimizers", mho_optimizer)                                                        \
  X(SCHEME, "schemes", mho_scheme)                                                                 \
  X(DEVICE, "devices", mho_device_model)                                                           \
  X(MAPPING, "mappings", mho_mapping)                                                              \
  X(ARRAY, "arrays", mho_array_model)

/** Kinds of registered things. */
typedef enum mho_kind {
#define X(kind, word, type) MHO_KIND_##kind,
  MHO_KINDS(X)
#undef X
      MHO_KIND_COUNT
} mho_kind;

typedef struct mho_registry mho_registry;

/** Registry of everything built in. */
MHO_API mho_err mho_registry_new(mho_registry **out, mho_errinfo *ei);
/** Frees a registry, not what was added to it; NULL is allowed. */
MHO_API void mho_registry_free(mho_registry *r);
/** Add a model made outside the tree: the kind's struct, whose first member is the entry; it must
 *  outlive the registry. MHO_EINVAL for another ABI, a taken id, or parameters too large. */
MHO_API mho_err mho_registry_add(mho_registry *r, mho_kind kind, const mho_entry *entry,
                                 mho_errinfo *ei);
/** How many things of a kind there are. */
MHO_API int mho_registry_count(const mho_registry *r, mho_kind kind);
/** Thing number i of a kind, in the order of registration. */
MHO_API const mho_entry *mho_registry_at(const mho_registry *r, mho_kind kind, int i);
/** The thing of a kind with that id, or NULL. */
MHO_API const mho_entry *mho_registry_find(const mho_registry *r, mho_kind kind, const char *id);
/** "devices", ... */
MHO_API const char *mho_kind_word(mho_kind kind);

/* ---------------------------------------------------------------- config text */

/** Keys and values with the places they come from; nothing is checked but the YAML. */
typedef struct mho_config mho_config;

/** An empty config. */
MHO_API mho_err mho_config_new(mho_config **out, mho_errinfo *ei);
/** Frees a config; NULL is allowed. */
MHO_API void mho_config_free(mho_config *c);
/** Add a YAML file's keys; MHO_EIO when it cannot be read, MHO_ECONFIG with its line when it is not
 *  YAML of this shape (maps of scalars and lists of scalars) or says a key twice. */
MHO_API mho_err mho_config_file(mho_config *c, const char *path, mho_errinfo *ei);
/** The same from text; `name` stands for the file in messages. */
MHO_API mho_err mho_config_text(mho_config *c, const char *text, const char *name, mho_errinfo *ei);
/** A config from a file (nullable) with n_set assignments (as of mho_config_set) on top; NULL with
 *  the error of the file or of the first assignment that is wrong. */
MHO_API mho_err mho_config_load(const char *path, int n_set, const char *const *set,
                                mho_config **out, mho_errinfo *ei);
/** "path=value": overrides what is there. */
MHO_API mho_err mho_config_set(mho_config *c, const char *assignment, mho_errinfo *ei);
/** The same with a text that is taken as it is, whatever YAML would make of it: names of files and
 *  runs. */
MHO_API mho_err mho_config_assign(mho_config *c, const char *key, const char *text,
                                  mho_errinfo *ei);

/** Text of a key ("device.levels"), as it was written; NULL when it is not set. Valid until the
 *  config changes. */
MHO_API const char *mho_config_get(const mho_config *c, const char *path);
/** Take out the key of that path, or with a dot at its end ("device.") all keys below it. */
MHO_API void mho_config_forget(mho_config *c, const char *path);

/* ---------------------------------------------------------------- device cards */

/** File of a device card: a path as given or beside `beside` (nullable, a file), else a name among
 *  the cards of mho. MHO_ENOTFOUND. */
MHO_API mho_err mho_card_find(const char *card, const char *beside, char *path, size_t capacity,
                              mho_errinfo *ei);
/** Read a card; unknown sections are refused with file and line. */
MHO_API mho_err mho_card_read(const char *path, mho_config **out, mho_errinfo *ei);
/** What a card says of itself: "title", "source", "valid", "note"; "" when it does not. */
MHO_API const char *mho_card_text(const mho_config *card, const char *what);
/** Names of the cards that come with mho, sorted, [n]; free each and the list with free(). */
MHO_API char **mho_cards_list(int *n);

/* ---------------------------------------------------------------- experiment */

enum { MHO_DEFAULTS_VERSION = 2 };

/** The keys that an experiment sets, to put others on top: its card's values are among them, so
 *  that the card is not read again. name: what stands for the file in messages. */
MHO_API mho_err mho_config_of_experiment(const mho_experiment *e, const char *name,
                                         mho_config **out, mho_errinfo *ei);
/** Validate a config: unknown keys (with the nearest known one), types, units, ranges, and what
 *  must fit together.
 *  @param bare  physical quantities are SI numbers without units (a config from the database).
 *  @return MHO_OK or MHO_ECONFIG with file, line, key and cure. */
MHO_API mho_err mho_experiment_new(const mho_registry *r, const mho_config *c, bool bare,
                                   mho_experiment **out, mho_errinfo *ei);
/** The experiment of a config as text, with n_set assignments (as of mho_config_set) on top.
 *  @param r     nullable: of everything built in.
 *  @param yaml  nullable: every key at its default. "config" stands for its file in messages.
 *  @return MHO_OK or MHO_ECONFIG with line, key and cure. */
MHO_API mho_err mho_experiment_of_yaml(const mho_registry *r, const char *yaml, int n_set,
                                       const char *const *set, mho_experiment **out,
                                       mho_errinfo *ei);
/** The experiment of a config that mho stored, as JSON; name: what stands for the file in
 *  messages. */
MHO_API mho_err mho_experiment_of_json(const mho_registry *r, const char *json, const char *name,
                                       mho_experiment **out, mho_errinfo *ei);
/** Frees an experiment; NULL is allowed. */
MHO_API void mho_experiment_free(mho_experiment *e);

/** The whole config with every default filled in, as YAML with a comment a key; or only what is
 *  away from the defaults. Free with free(); NULL: no memory. */
MHO_API char *mho_experiment_yaml(const mho_experiment *e, bool changed_only);
/** The same as JSON, quantities in SI. Free with free(); NULL: no memory. */
MHO_API char *mho_experiment_json(const mho_experiment *e);
/** SHA-256 of the canonical JSON of the keys away from their default, the defaults version, the
 *  seeds and the dataset's checksum; names, paths, threads and what is observed play no part.
 *  @return MHO_OK; MHO_ENOMEM. */
MHO_API mho_err mho_experiment_hash(const mho_experiment *e, const char *data_checksum,
                                    char hex[65], mho_errinfo *ei);
/** A key that two experiments have and set to different values, as they are written. */
typedef struct mho_difference {
  const char *section, *name; /**< "device", "drift.law"; as long as the experiments */
  bool is_own;                /**< of a registered thing that the section chooses */
  char a[MHO_TEXT_MAX], b[MHO_TEXT_MAX];
} mho_difference;
/** Keys in which b differs from a, the choice of a registered thing before its keys; @return how
 *  many, at most max. */
MHO_API int mho_experiment_differences(const mho_experiment *a, const mho_experiment *b, int max,
                                       mho_difference *out);
/** Whether a key ("device.step_up") is one of a section, or of anything registered that a section
 *  can choose.
 *  @param near  out, of n bytes: the nearest of all such keys; "" where none is near. */
MHO_API bool mho_config_key_known(const mho_registry *r, const char *key, char *near, size_t n);
/** A key of a config that has no effect in the experiment which the config describes. */
typedef struct mho_idle_key {
  char key[128];    /**< "device.stuck_on" */
  const char *why;  /**< as what follows a colon: "there are no devices (device.model: ideal)" */
  const char *file; /**< where it is set; nullable, and as long as the call */
  int line;
} mho_idle_key;
/** Calls f for every key that a config sets to other than its default and that has no effect in its
 *  experiment, in the order of sections. @return MHO_OK; MHO_ENOMEM. */
MHO_API mho_err mho_experiment_idle(const mho_experiment *e, const mho_config *c,
                                    void (*f)(void *user, const mho_idle_key *k), void *user,
                                    mho_errinfo *ei);
/** MHO_ECONFIG with the place of the first such key; MHO_OK where there is none; MHO_ENOMEM. */
MHO_API mho_err mho_experiment_strict(const mho_experiment *e, const mho_config *c,
                                      mho_errinfo *ei);

#endif
