/* cmd_init.c - mho init: configs to begin with, with comments, and what they need.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/init.inc" /* the files of init/, as strings */

enum { FILES_MAX = 3, PATH_BYTES = 2 * MHO_TEXT_MAX };

/* A task, the files that it begins with, and what to do with them. */
static const struct task {
  const char *name;
  struct {
    const char *name, *text;
  } file[FILES_MAX];
  const char *next[FILES_MAX]; /* commands; @ is the folder of the files and a slash */
} tasks[] = {
    {"train", {{"train.yaml", train_yaml}}, {"mho train @train.yaml", "mho report last"}},
    {"device",
     {{"pulses.csv", pulses_csv}, {"my_device.yaml", my_device_yaml}, {"device.yaml", device_yaml}},
     {"mho device fit @pulses.csv --unit uS -o @my_device.yaml", "mho train @device.yaml"}},
    {"wires",
     {{"wires.yaml", wires_yaml}},
     {"mho train @wires.yaml", "mho eval last --set 'array.wire.r_word=5 ohm'"}},
    {"circuit",
     {{"circuit.yaml", circuit_yaml}},
     {"mho train @circuit.yaml", "mho cosim last --what network"}},
    {"study",
     {{"study.yaml", study_yaml}},
     {"mho sweep @study.yaml --plan", "mho sweep @study.yaml", "mho report study"}},
    {"conv", {{"conv.yaml", conv_yaml}}, {"mho train @conv.yaml"}},
};

static const struct argp_option option_table[] = {{0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  common_options *o = state->input;
  if (key == ARGP_KEY_END && !o->n_words)
    argp_error(state, "which task? train, device, wires, circuit, study or conv");
  return common_option(o, key, arg, state);
}

VERB_ARGP("train|device|wires|circuit|study|conv [FOLDER]",
          "Write a config to begin with, which has comments and runs as it is, and what it needs, "
          "into FOLDER (default: the present one).\v"
          "train    a network that learns digits\n"
          "device   a device card from measured pulses, and a network that learns on it\n"
          "wires    crossbars whose lines have a resistance\n"
          "circuit  neurons as circuits in continuous time, compared with ngspice\n"
          "study    a grid of runs over config keys and seeds\n"
          "conv     a convolutional network\n\n"
          "A file that is there is never written over.\n\n"
          "Examples:\n"
          "  mho init train && mho train train.yaml\n"
          "  mho init device mine");

static const struct task *find_task(const char *name, mho_errinfo *ei) {
  for (int i = 0; i < MHO_COUNT(tasks); i++)
    if (!strcmp(name, tasks[i].name))
      return &tasks[i];
  mho_fail(ei, MHO_EINVAL, "there is no task '%s': train, device, wires, circuit, study or conv",
           name);
  return NULL;
}

static mho_err make_folder(const char *folder, mho_errinfo *ei) {
  if (!mkdir(folder, 0777) || errno == EEXIST)
    return MHO_OK;
  return mho_fail_at(ei, mho__io_error(errno), folder, 0, "cannot be made: %s", strerror(errno));
}

static mho_err path_of(const char *folder, const char *name, char path[PATH_BYTES],
                       mho_errinfo *ei) {
  int n = folder ? snprintf(path, PATH_BYTES, "%s/%s", folder, name)
                 : snprintf(path, PATH_BYTES, "%s", name);
  if (n >= PATH_BYTES)
    return mho_fail(ei, MHO_EINVAL, "the folder's path is longer than %d characters", PATH_BYTES);
  return MHO_OK;
}

/* Whether all files of a task may be written, before the first is. */
static mho_err check_absent(const struct task *t, const char *folder, mho_errinfo *ei) {
  for (int i = 0; i < FILES_MAX && t->file[i].name; i++) {
    char path[PATH_BYTES];
    mho_err err = path_of(folder, t->file[i].name, path, ei);
    if (err)
      return err;
    if (!access(path, F_OK))
      return mho_fail_at(ei, MHO_EINVAL, path, 0,
                         "is there already and is left as it is: name a folder, mho init %s FOLDER",
                         t->name);
  }
  return MHO_OK;
}

static mho_err write_files(const struct task *t, const char *folder, mho_errinfo *ei) {
  for (int i = 0; i < FILES_MAX && t->file[i].name; i++) {
    char path[PATH_BYTES];
    mho_err err = path_of(folder, t->file[i].name, path, ei);
    if (!err)
      err = write_text(path, t->file[i].text, ei);
    if (err)
      return err;
    printf("wrote %s\n", path);
  }
  return MHO_OK;
}

/* The commands, to be run from where this one was. */
static void print_next(const struct task *t, const char *folder) {
  printf("\nNext:\n");
  for (int i = 0; i < FILES_MAX && t->next[i]; i++) {
    printf("  ");
    for (const char *c = t->next[i]; *c; c++) {
      if (*c != '@')
        putchar(*c);
      else if (folder)
        printf("%s/", folder);
    }
    putchar('\n');
  }
}

static mho_err init(const common_options *o, mho_errinfo *ei) {
  const char *folder = option_word(o, 1);
  const struct task *t = find_task(o->word[0], ei);
  mho_err err = t ? MHO_OK : MHO_EINVAL;

  if (!err && folder)
    err = make_folder(folder, ei);
  if (!err)
    err = check_absent(t, folder, ei);
  if (!err)
    err = write_files(t, folder, ei);
  if (!err)
    print_next(t, folder);
  return err;
}

static int run(int argc, char **argv) {
  common_options o = {.max_words = 2};
  parse_options(&argp, argc, argv, &o);
  mho_errinfo ei = {0};
  mho_err err = init(&o, &ei);
  return err ? report_error(err, &ei) : EXIT_DONE;
}

const verb verb_init = {"init", "a commented config to begin with, and what it needs", &argp, run};
