/* cmd_doctor.c - mho doctor: what of the machine mho finds, and what to do about what it does not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/version.h"
#include "mho/model/dataset.h"
#include "mho/model/num.h"
#include "mho/spice.h"

static const struct argp_option option_table[] = {OPT_DB, OPT_JSON, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
  common_options *o = state->input;
  if (key == ARGP_KEY_ARG)
    argp_error(state, "unexpected '%s'", arg);
  return common_option(o, key, arg, state);
}

VERB_ARGP(
    NULL,
    "Look at what mho needs and can use: the kernels of matrix products, memory, device cards, "
    "ngspice, gnuplot, datasets, the run database with its schema and integrity, the locale, "
    "the disk; and say what to do about what is not there.\v"
    "ok is there; missing is not, and only what needs it goes without; wrong is to be mended. "
    "Exit code 0 unless something is wrong, then 1.\n\n"
    "Examples:\n"
    "  mho doctor\n"
    "  mho doctor --db other.db --json");

/* ---------------------------------------------------------------- findings */

typedef enum state { FOUND, MISSING, WRONG } state;

/* What was looked at, and what became of it. */
typedef struct finding {
  const char *name;
  state state;
  char found[2 * MHO_TEXT_MAX];
  char cure[MHO_TEXT_MAX]; /* "": nothing is to be done */
} finding;

/* What is looked at, and what for. */
typedef struct look {
  const common_options *o;
  const environment *s;
  bool wrong; /* something is */
} look;

static const char *state_word(state s) {
  static const char *const words[] = {"ok", "missing", "wrong"};
  return words[s];
}

/* Say it, as a line or as JSON. */
static void report(look *l, const finding *f) {
  l->wrong = l->wrong || f->state == WRONG;
  if (l->o->json) {
    print_json_line(json_pack("{ss ss so so}", "check", f->name, "state", state_word(f->state),
                              "found", text_json(f->found), "cure",
                              *f->cure ? text_json(f->cure) : json_null()),
                    0);
    return;
  }

  printf("%-8s %-13s ", state_word(f->state), f->name);
  print_plain(stdout, f->found);
  if (*f->cure) {
    printf("\n%-23s", "");
    print_plain(stdout, f->cure);
  }
  putchar('\n');
}

/* ---------------------------------------------------------------- the machine */

static void look_at_kernels(look *l) {
  finding f = {.name = "kernels"};
  const char *better = mho_blas_better_kernel();
  snprintf(f.found, sizeof f.found, "matrix products run on %s; %ld processors", mho_blas_kernel(),
           sysconf(_SC_NPROCESSORS_ONLN));
  if (better) {
    f.state = WRONG;
    snprintf(f.cure, sizeof f.cure,
             "these are slow here: OPENBLAS_CORETYPE=%s in the environment picks better ones",
             better);
  }
  report(l, &f);
}

static void look_at_memory(look *l) {
  enum { NEEDED_MB = 1024 };
  finding f = {.name = "memory"};
  struct rlimit limit;
  double pages = (double)sysconf(_SC_AVPHYS_PAGES), page = (double)sysconf(_SC_PAGESIZE);
  bool is_limited = !getrlimit(RLIMIT_AS, &limit) && limit.rlim_cur != RLIM_INFINITY;
  snprintf(f.found, sizeof f.found, "%.1f GB are free", 1e-9 * pages * page);

  if (is_limited) {
    size_t mb = (size_t)limit.rlim_cur >> 20;
    snprintf(f.found, sizeof f.found, "limited to %zu MB (ulimit -v)", mb);
    f.state = mb < NEEDED_MB ? WRONG : FOUND;
  }
  if (f.state == WRONG)
    snprintf(f.cure, sizeof f.cure, "matrix products take 128 MB a thread: raise the limit");
  report(l, &f);
}

static void look_at_locale(look *l) {
  finding f = {.name = "locale"};
  locale_t own = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
  const char *set = own ? nl_langinfo_l(CODESET, own) : "";
  if (!own)
    snprintf(f.found, sizeof f.found, "the one that LC_ALL, LC_CTYPE or LANG names is not here");
  else
    snprintf(f.found, sizeof f.found, "characters are %s", set);

  if (strcmp(set, "UTF-8")) {
    f.state = MISSING;
    snprintf(f.cure, sizeof f.cure,
             "names and units beyond ASCII may look wrong: export LC_ALL=C.UTF-8");
  }
  if (own)
    freelocale(own);
  report(l, &f);
}

/* The first line that a command prints; "" where it does not run. */
static void first_line(const char *command, char *out, int n) {
  *out = 0;
  FILE *f = popen(command, "r");
  if (!f)
    return;
  if (!fgets(out, n, f))
    *out = 0;
  pclose(f);
  out[strcspn(out, "\n")] = 0;
}

static void look_at_gnuplot(look *l) {
  finding f = {.name = "gnuplot"};
  first_line("gnuplot --version 2>/dev/null", f.found, sizeof f.found);
  if (!*f.found) {
    f.state = MISSING;
    snprintf(f.found, sizeof f.found, "reports and --plot go without figures");
    snprintf(f.cure, sizeof f.cure, "apt-get install gnuplot-nox");
  }
  report(l, &f);
}

static void look_at_ngspice(look *l) {
  finding f = {.name = "ngspice"};
  mho_spice *spice = NULL;
  mho_errinfo ei = {0};
  char program[256];
  mho_err err = mho_spice_open(&spice, &ei);
  mho_spice_close(spice);

  first_line("ngspice --version 2>/dev/null | grep -o 'ngspice-[0-9.]*'", program, sizeof program);
  snprintf(f.found, sizeof f.found, "the library runs circuits; the program is %s",
           *program ? program : "not installed");
  if (err) {
    f.state = MISSING;
    snprintf(f.found, sizeof f.found, "%s", ei.message);
    snprintf(f.cure, sizeof f.cure,
             "cosim, settle.method spice and array.model spice go without: apt-get install "
             "libngspice0-dev ngspice, and build anew");
  }
  report(l, &f);
}

/* ---------------------------------------------------------------- cards and datasets */

static void look_at_cards(look *l) {
  finding f = {.name = "cards"};
  int n;
  char **cards = mho_cards_list(&n);
  for (int i = 0; i < n; i++)
    free(cards[i]);
  free(cards);

  snprintf(f.found, sizeof f.found, "%d published devices (mho device list)", n);
  if (n == 0) {
    f.state = WRONG;
    snprintf(f.cure, sizeof f.cure, "they lie in models/ of the source: install mho anew");
  }
  report(l, &f);
}

static void look_at_datasets(look *l) {
  for (int i = 0; i < mho_registry_count(l->s->registry, MHO_KIND_DATASET); i++) {
    const mho_dataset_kind *k =
        (const mho_dataset_kind *)mho_registry_at(l->s->registry, MHO_KIND_DATASET, i);
    bool is_published = k->files && k->files[0].url;
    char folder[MHO_TEXT_MAX] = "";
    finding f = {.name = k->entry.id};
    if (k->takes_path || (k->files && !is_published))
      continue;

    if (k->files)
      mho_dataset_locate(k, "", folder, sizeof folder);
    snprintf(f.found, sizeof f.found, "dataset: %s", k->files ? folder : "embedded");
    if (k->files && !*folder) {
      f.state = MISSING;
      snprintf(f.found, sizeof f.found, "dataset: neither in $MHO_DATA/%s nor in ~/.cache/mho/%s",
               f.name, f.name);
      snprintf(f.cure, sizeof f.cure, "mho data fetch %s", f.name);
    }
    report(l, &f);
  }
}

/* ---------------------------------------------------------------- the database and its disk */

static bool take_count(void *user, int n, const char *const *names, const mho_cell *cells) {
  if (cells)
    *(int64_t *)user = cells[0].i;
  return true;
}

/* How many runs a sound database has. */
static mho_err count_runs(const char *path, int64_t *runs, mho_errinfo *ei) {
  mho_store *s = NULL;
  mho_err err = mho_store_open(path, MHO_STORE_READ, &s, ei);
  if (!err)
    err = mho_store_check(s, ei);
  if (!err)
    err = mho_store_query(s, "SELECT count(*) FROM run", 0, NULL, 0, take_count, runs, ei);
  mho_store_close(s);
  return err;
}

static void look_at_database(look *l) {
  finding f = {.name = "database"};
  const char *path = database_path(l->o);
  mho_errinfo ei = {0};
  int64_t runs = 0;
  struct stat st;

  if (stat(path, &st) && errno == ENOENT) {
    snprintf(f.found, sizeof f.found, "%s is not there yet: the first run makes it", path);
    report(l, &f);
    return;
  }

  mho_err err = count_runs(path, &runs, &ei);
  if (err) {
    f.state = WRONG;
    snprintf(f.found, sizeof f.found, "%s", ei.message);
  } else {
    snprintf(f.found, sizeof f.found, "%s is sound: %lld runs, schema %d, %.1f MB", path,
             (long long)runs, mho_store_schema_version(), 1e-6 * (double)st.st_size);
  }
  if (!err && access(path, W_OK)) {
    f.state = WRONG;
    snprintf(f.cure, sizeof f.cure, "it cannot be written: chmod u+w %s, or name another with --db",
             path);
  }
  report(l, &f);
}

/* The folder of a path that is there, or the nearest one above it. */
static void folder_above(const char *path, char *folder, size_t n) {
  snprintf(folder, n, "%s", path);
  do {
    char *slash = strrchr(folder, '/');
    if (slash == folder)
      slash++;
    if (slash)
      *slash = 0;
    else
      snprintf(folder, n, ".");
  } while (access(folder, F_OK) && strcmp(folder, ".") && strcmp(folder, "/"));
}

static void look_at_disk(look *l) {
  enum { LITTLE_MB = 100 };
  finding f = {.name = "disk"};
  char folder[MHO_TEXT_MAX];
  struct statvfs disk;
  folder_above(database_path(l->o), folder, sizeof folder);

  if (statvfs(folder, &disk)) {
    f.state = WRONG;
    snprintf(f.found, sizeof f.found, "%s: %s", folder, strerror(errno));
    report(l, &f);
    return;
  }

  double mb = 1e-6 * (double)disk.f_bavail * (double)disk.f_frsize;
  snprintf(f.found, sizeof f.found, "%.1f GB are free in %s", 1e-3 * mb, folder);
  if (mb < LITTLE_MB) {
    f.state = WRONG;
    snprintf(f.cure, sizeof f.cure, "runs may not fit: make room, or name another place with --db");
  }
  if (access(folder, W_OK)) {
    f.state = WRONG;
    snprintf(f.cure, sizeof f.cure, "it cannot be written: name another place with --db");
  }
  report(l, &f);
}

/* ---------------------------------------------------------------- all of it */

static int run(int argc, char **argv) {
  common_options o = {0};
  environment s;
  mho_errinfo ei = {0};
  parse_options(&argp, argc, argv, &o);
  mho_err err = environment_open(&s, -1, &ei);
  if (err)
    return report_error(err, &ei);

  look l = {.o = &o, .s = &s};
  if (!o.json)
    printf("mho %s (%s)\n\n", MHO_VERSION, MHO_CODE_VERSION);
  look_at_kernels(&l);
  look_at_memory(&l);
  look_at_locale(&l);
  look_at_cards(&l);
  look_at_ngspice(&l);
  look_at_gnuplot(&l);
  look_at_datasets(&l);
  look_at_database(&l);
  look_at_disk(&l);

  environment_close(&s);
  return l.wrong ? EXIT_FAILED : EXIT_DONE;
}

const verb verb_doctor = {"doctor", "what this machine has of what mho can use", &argp, run};
