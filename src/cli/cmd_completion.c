/* cmd_completion.c - mho completion: what a shell needs to complete the command's words.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/completion.inc" /* the files of completion/, as strings */

static const struct {
  const char *name, *script;
} shells[] = {{"bash", mho_bash}, {"zsh", mho_zsh}, {"fish", mho_fish}};

static const struct argp_option option_table[] = {{0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  common_options *o = state->input;
  if (key == ARGP_KEY_END && !o->n_words)
    argp_error(state, "of which shell? bash, zsh or fish");
  return common_option(o, key, arg, state);
}

VERB_ARGP(
    "bash|zsh|fish",
    "Print what a shell needs to complete verbs, options, config keys and their values, runs, "
    "studies and devices.\v"
    "An installed mho has it where the shells look for it. From a build it is had by the "
    "line for the shell among the examples, also in the file that the shell reads at its "
    "start.\n\n"
    "Examples:\n"
    "  source <(mho completion bash)\n"
    "  source <(mho completion zsh)      # behind compinit\n"
    "  mho completion fish | source");

static int run(int argc, char **argv) {
  common_options o = {.max_words = 1};
  parse_options(&argp, argc, argv, &o);
  for (int i = 0; i < MHO_COUNT(shells); i++) {
    if (strcmp(o.word[0], shells[i].name))
      continue;
    fputs(shells[i].script, stdout);
    return EXIT_DONE;
  }

  mho_errinfo ei;
  mho_err err =
      mho_fail(&ei, MHO_EINVAL, "there is no completion for '%s': bash, zsh or fish", o.word[0]);
  return report_error(err, &ei);
}

const verb verb_completion = {"completion", "complete words in bash, zsh or fish", &argp, run};
