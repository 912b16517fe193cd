"""What the package calls of libmho, in the words of its headers: the one place for layouts and prototypes.

The text is C. `library` makes ctypes of it; the test `declarations` compiles it beside include/mho/, where another
layout, type or number does not compile, so that the two cannot drift apart.

SPDX-License-Identifier: GPL-3.0-or-later
"""

#: Of the headers below: a library of another version is refused, because its structs may lie otherwise.
VERSION = '0.2.0'

#: What runs are recorded with that this package trains.
CODE_VERSION = f'{VERSION} (Python)'

#: Words of mho_err, by their number.
ERRORS = ('OK', 'EINVAL', 'ENOMEM', 'ECONFIG', 'EDATA', 'ENOTFOUND', 'EIO', 'ESTORE', 'ESINGULAR', 'EDIVERGED',
          'ESPICE', 'EUNSUPPORTED', 'EINTERRUPTED', 'EDISK')

#: Types that are numbers: in C an enum, here an int.
ENUMS = ('mho_err', 'mho_kind', 'mho_log_level', 'mho_part', 'mho_store_mode', 'mho_cell_type', 'mho_wire_method',
         'mho_plan_state', 'mho_study_what')

#: Constants of the headers that the package uses by their number.
CONSTANTS = {
    'MHO_LOG_WARNING': 1,
    'MHO_PART_TRAIN': 0, 'MHO_PART_VALIDATION': 1, 'MHO_PART_TEST': 2,
    'MHO_STORE_READ': 0, 'MHO_STORE_WRITE': 1,
    'MHO_CELL_NULL': 0, 'MHO_CELL_INT': 1, 'MHO_CELL_REAL': 2, 'MHO_CELL_TEXT': 3, 'MHO_CELL_BLOB': 4,
    'MHO_WIRE_AUTO': 0, 'MHO_WIRE_DIRECT': 1, 'MHO_WIRE_ITERATIVE': 2,
    'MHO_ID_MAX': 32, 'MHO_PLACE_MAX': 64,
    'MHO_STUDY_PLANNED': 0, 'MHO_STUDY_STARTED': 1, 'MHO_STUDY_EPOCH': 2, 'MHO_STUDY_ENDED': 3, 'MHO_STUDY_TICK': 4,
}

#: What the library calls back, under names of ours: in the headers these are members and parameters.
CALLBACKS = '''
typedef void log_call(void *, mho_log_level, const char *);
typedef void progress_call(void *, const char *, long, long, const char *);
typedef void epoch_call(void *, const char *, const mho_epoch_row *);
typedef bool stop_call(void *, const char *, const mho_epoch_row *, char *, size_t);
typedef bool done_call(void *, const mho_epoch_row *);
typedef void idle_call(void *, const mho_idle_key *);
typedef mho_err begin_call(void *, const mho_experiment *, mho_errinfo *);
typedef void chip_call(void *, const mho_programmed *, const mho_experiment *);
typedef bool row_call(void *, int, const char *const *, const mho_cell *);
typedef void cosim_call(void *, const mho_cosim_row *, const double *, const double *);
typedef void event_call(void *, const mho_study_event *);
'''

STRUCTS = '''
struct mho_errinfo { char message[768]; char file[512]; int line; long row; long col; };
struct mho_context {
  mho_pool *pool; log_call *log; progress_call *progress; const volatile sig_atomic_t *stop; void *user;
};

struct mho_idle_key { char key[128]; const char *why; const char *file; int line; };

struct mho_event { double time; int unit; };
struct mho_images { int n; const uint8_t *pixel; const uint8_t *label; const double *x; const double *target; const mho_event *event; const int64_t *first; };
struct mho_dataset {
  mho_images train; mho_images validation; mho_images test;
  int features; int classes; int values;
  int width; int height; int channels;
  double scale; double mean[3]; double spread[3]; bool normalized;
  const double *feature_mean; const double *feature_spread; const double *value_mean; const double *value_spread;
  char checksum[65]; void *memory; void *scales; uint64_t class_names;
};

struct mho_epoch_row {
  int epoch; double train_acc; double test_acc; double val_acc; double loss; double settle_steps; int64_t unsettled;
  double pulses; double set_pulses; double reset_pulses; double clipped; double reads; double energy_j; double wall_s;
  double eval_s; double truncated; double verify_reads; double test_loss; double val_loss; double test_rms;
};
struct mho_train_options {
  mho_store *store; const char *name; const char *code_version; epoch_call *epoch; stop_call *stop; void *user;
  const char *study; bool again;
};
struct mho_train_result {
  char run[32]; char status[16]; bool present; int epochs; int best_epoch;
  double final_test_acc; double best_test_acc; double train_acc; double val_acc; double wall_s;
  double final_test_loss; double best_test_loss; double val_loss; double final_test_rms; double best_test_rms;
};
struct mho_evaluation {
  double accuracy; double loss; double settle_steps; double rms; double time_s;
  double kirchhoff; double dissipated; double supplied; int64_t unsettled; double seconds;
};
struct mho_evaluate_options {
  const char *checkpoint; mho_part part; int n_times; const double *time; int draws; int n_set; const char *const *set;
  begin_call *begin; void *user;
};
struct mho_evaluated { mho_evaluation last; double score; double deviation; double loss; };
struct mho_connection_info {
  const char *name; const char *from; const char *to; const char *role; int rows; int cols; int banks; bool trained;
  bool bias; double w_max;
};
struct mho_blob { void *data; size_t size; };
struct mho_checkpoint_row { int epoch; int64_t batch; mho_blob blob; };

struct mho_network_file_options {
  const char *format; const char *layers; int n_mean; int n_std; const double *mean; const double *std;
};
struct mho_program_connection { const char *name; int rows; int cols; double w_max; double rms; double clipped; };
struct mho_programmed {
  char run[32]; int chip; int64_t seed; double accuracy; double loss; double rms; double clipped; double pulses;
  int n_connections; const mho_program_connection *connection;
};
struct mho_program_options {
  mho_store *store; const char *from; const mho_network_file *file; const char *parent; const char *config;
  const char *name; const char *code_version; int n_set; const char *const *set; int chips; int64_t seed;
  begin_call *begin; chip_call *chip; void *user;
};

struct mho_cell { mho_cell_type type; int64_t i; double d; const char *text; size_t size; };

struct mho_wire_options {
  int rows; int cols; double r_word; double r_bit; double word_end; double bit_end; mho_wire_method method;
  double tolerance; mho_pool *pool; const mho_context *ctx;
};
struct mho_wire_read {
  int n; const double *v_word; const double *v_bit; const double *source; double *i_word; double *i_bit;
  double *node_word; double *node_bit;
};
struct mho_wire_stats {
  mho_wire_method method; int iterations; double residual; double error; double power_in; double power_lost;
};

struct mho_curve_options {
  int cells; int set; int reset; int cycles; uint64_t seed; bool from_start; const mho_context *ctx;
};
struct mho_curve_point {
  int cycle; int direction; int pulse; double mean; double deviation; double q05; double q25; double q50; double q75;
  double q95;
};
struct mho_fit_table {
  const char *model; bool iv; const char *unit; double read_voltage; const char *g; const char *up; const char *down;
  const char *fixed; int n_set; const char *const *set;
};

struct mho_spice_isolation {
  const char *program; double timeout_s; bool trusted; const mho_context *ctx; const char *const *words; int n_words;
};
struct mho_netlist_values { double expected; double margin; double printed; };
struct mho_trained_netlist {
  const char *of; int image; const mho_connection *connection; bool transposed; const double *r_word;
  const double *r_bit; const int *tile; bool norton; bool transient; int pulses; uint64_t seed; int neurons;
};
struct mho_cosim_row {
  const char *what; const char *quantity; const char *unit; const char *place; int64_t n; double max_abs;
  double max_rel; double rms; double tolerance; bool pass; double core_s; double spice_s;
};

struct mho_plan_run {
  int point; int64_t seed; char *label; char hash[65]; char data_checksum[65]; char id[32]; mho_plan_state state;
  double predicted_s;
};
struct mho_plan_idle { char key[128]; char why[256]; int runs; };
struct mho_plan { int n; int n_points; mho_plan_run *run; int repeated; int n_idle; mho_plan_idle *idle; };
struct mho_study_event {
  mho_study_what what; const mho_plan *plan; const mho_plan_run *run; int index; int epoch; int epochs;
  double train_acc; double test_acc; double val_acc; double wall_s; double test_loss; double test_rms;
  const char *error; int total; int ended; int running; int failed; double left_s;
};
struct mho_study_options {
  const char *db; int jobs; int threads; const char *const *only; int n_only; int shard; int shards; bool retry;
  bool again; const char *code_version; event_call *event; void *user;
};
struct mho_study_result {
  int total; int present; int completed; int diverged; int stopped; int failed; int cut; double wall_s;
};
'''

#: Every function: its prototype, as a compiler takes it.
FUNCTIONS = '''
const char *mho_version(void);
const char *mho_err_text(mho_err);
void mho_free(void *);
size_t mho_real_size(void);
mho_err mho_quantity_parse(const char *, const char *, bool, double *, mho_errinfo *);
mho_err mho_pool_new(int, mho_pool **, mho_errinfo *);
void mho_pool_free(mho_pool *);

mho_err mho_registry_new(mho_registry **, mho_errinfo *);
void mho_registry_free(mho_registry *);
mho_err mho_config_new(mho_config **, mho_errinfo *);
void mho_config_free(mho_config *);
mho_err mho_config_file(mho_config *, const char *, mho_errinfo *);
mho_err mho_config_text(mho_config *, const char *, const char *, mho_errinfo *);
mho_err mho_config_set(mho_config *, const char *, mho_errinfo *);
mho_err mho_config_assign(mho_config *, const char *, const char *, mho_errinfo *);
mho_err mho_experiment_new(const mho_registry *, const mho_config *, bool, mho_experiment **, mho_errinfo *);
void mho_experiment_free(mho_experiment *);
char *mho_experiment_yaml(const mho_experiment *, bool);
char *mho_experiment_json(const mho_experiment *);
mho_err mho_experiment_idle(const mho_experiment *, const mho_config *, idle_call *, void *, mho_errinfo *);
mho_err mho_experiment_strict(const mho_experiment *, const mho_config *, mho_errinfo *);

const mho_images *mho_dataset_part(const mho_dataset *, mho_part);
int mho_images_count(const mho_images *);
mho_err mho_dataset_normalize_columns(mho_dataset *, mho_errinfo *);
void mho_dataset_free(mho_dataset *);
void mho_dataset_sizes(const mho_dataset *, int *, int *);
void mho_images_batch(const mho_dataset *, const mho_images *, const int *, int, int, mho_real *, uint8_t *);
void mho_images_values(const mho_dataset *, const mho_images *, const int *, int, int, mho_real *);

mho_err mho_train(const mho_context *, const mho_experiment *, const mho_train_options *, mho_train_result *,
                  mho_errinfo *);
mho_err mho_train_resume(const mho_context *, const mho_registry *, const char *, const mho_train_options *,
                         mho_train_result *, mho_errinfo *);
mho_err mho_train_stored_experiment(mho_store *, const mho_registry *, const char *, int, const char *const *,
                                    mho_experiment **, mho_errinfo *);
mho_err mho_evaluate(const mho_context *, const mho_registry *, mho_store *, const char *,
                     const mho_evaluate_options *, mho_evaluated *, int *, mho_errinfo *);
mho_err mho_network_file_read(const char *, const mho_network_file_options *, mho_network_file **, mho_errinfo *);
void mho_network_file_free(mho_network_file *);
bool mho_network_file_is(const char *);
mho_err mho_program(const mho_context *, const mho_registry *, const mho_program_options *, mho_errinfo *);

mho_err mho_trainer_new(const mho_context *, const mho_experiment *, mho_trainer **, mho_errinfo *);
mho_err mho_trainer_new_on(const mho_context *, const mho_experiment *, const mho_dataset *, mho_trainer **,
                           mho_errinfo *);
void mho_trainer_free(mho_trainer *);
const mho_dataset *mho_trainer_dataset(const mho_trainer *);
mho_err mho_trainer_from(mho_trainer *, mho_store *, mho_errinfo *);
mho_err mho_trainer_weights_write(const mho_trainer *, const char *, bool, mho_errinfo *);
mho_err mho_trainer_write_network(mho_trainer *, const mho_network_file *, bool, mho_errinfo *);
mho_err mho_trainer_network_write(const mho_trainer *, const char *, mho_errinfo *);
mho_err mho_trainer_evaluate(mho_trainer *, const mho_images *, mho_evaluation *, mho_errinfo *);
mho_err mho_trainer_age(mho_trainer *, double, mho_errinfo *);
mho_err mho_trainer_gradient(mho_trainer *, int, int, int, mho_real *, mho_errinfo *);
mho_err mho_trainer_train(mho_trainer *, done_call *, void *, mho_errinfo *);
int mho_trainer_layers(const mho_trainer *);
const char *mho_trainer_layer(const mho_trainer *, int, int *);
mho_err mho_trainer_settle(mho_trainer *, int, const mho_real *, mho_real *const *, int64_t *, mho_errinfo *);
mho_err mho_trainer_predict(mho_trainer *, int, const mho_real *, mho_real *, mho_errinfo *);
int mho_trainer_connections(const mho_trainer *);
mho_err mho_trainer_connection(const mho_trainer *, int, mho_connection_info *, mho_errinfo *);
mho_err mho_trainer_find(mho_trainer *, const char *, const mho_connection **, mho_errinfo *);
const char *mho_trainer_bank(const mho_trainer *, int, int, double *);
mho_err mho_trainer_weights(const mho_trainer *, const char *, mho_real *, mho_errinfo *);
mho_err mho_trainer_effective(const mho_trainer *, const char *, mho_real *, mho_errinfo *);
mho_err mho_trainer_set_weights(mho_trainer *, const char *, const mho_real *, size_t *, mho_errinfo *);
mho_err mho_trainer_conductances(const mho_trainer *, const char *, int, double *, mho_errinfo *);
mho_err mho_trainer_set_conductances(mho_trainer *, const char *, int, const double *, size_t *, mho_errinfo *);
mho_err mho_trainer_save(const mho_trainer *, mho_checkpoint_row *, mho_errinfo *);
mho_err mho_trainer_load(mho_trainer *, const mho_blob *, mho_errinfo *);
void mho_blob_free(mho_blob *);

mho_err mho_trainer_read_ideally(mho_trainer *, mho_errinfo *);
mho_err mho_trainer_netlist_crossbar(mho_trainer *, const mho_trained_netlist *, char **, mho_errinfo *);
mho_err mho_trainer_netlist_network(mho_trainer *, const mho_trained_netlist *, char **, mho_errinfo *);
mho_err mho_trainer_netlist_spikes(mho_trainer *, const mho_trained_netlist *, char **, mho_errinfo *);
mho_err mho_trainer_netlist_device(mho_trainer *, const mho_trained_netlist *, char **, mho_errinfo *);
mho_err mho_spice_open(mho_spice **, mho_errinfo *);
void mho_spice_close(mho_spice *);
mho_err mho_trainer_cosim_crossbar(mho_trainer *, mho_spice *, const mho_connection *, bool, int, cosim_call *, void *,
                                   mho_errinfo *);
mho_err mho_trainer_cosim_network(mho_trainer *, mho_spice *, int, bool, bool, cosim_call *, void *, mho_errinfo *);
mho_err mho_trainer_cosim_device(mho_trainer *, mho_spice *, cosim_call *, void *, mho_errinfo *);

mho_err mho_spice_isolated(const mho_spice_isolation *, const char *, char **, mho_errinfo *);
int mho_spice_child(int, const char *);
mho_err mho_netlist_compare(const char *, const char *, mho_cosim_row *, char *, mho_netlist_values *, mho_errinfo *);

mho_err mho_experiment_of_device(const mho_registry *, const char *, int, const char *const *, mho_experiment **,
                                 mho_errinfo *);
mho_err mho_experiment_curve(const mho_experiment *, const mho_curve_options *, mho_curve_point **, int *,
                             mho_errinfo *);
mho_err mho_fit_file(const mho_context *, const mho_registry *, const char *, const mho_fit_table *, mho_fitted **,
                     mho_errinfo *);
void mho_fitted_free(mho_fitted *);
char *mho_fitted_json(const mho_fitted *, int);
char *mho_fitted_card(const mho_fitted *, const char *);

mho_err mho_store_open(const char *, mho_store_mode, mho_store **, mho_errinfo *);
void mho_store_close(mho_store *);
mho_err mho_store_find(mho_store *, const char *, char *, mho_errinfo *);
mho_err mho_store_checkpoint_get(mho_store *, const char *, const char *, mho_checkpoint_row *, mho_errinfo *);
mho_err mho_store_query(mho_store *, const char *, int, const char *const *, double, row_call *, void *,
                        mho_errinfo *);

const mho_report *mho_report_find(const char *);
mho_err mho_report_text(const mho_report *, mho_store *, const char *, const mho_context *, char **, mho_errinfo *);

mho_err mho_wire_new(const mho_wire_options *, mho_wire **, mho_errinfo *);
void mho_wire_free(mho_wire *);
mho_err mho_wire_set(mho_wire *, const double *, mho_errinfo *);
mho_err mho_wire_solve(mho_wire *, const mho_wire_read *, mho_wire_stats *, mho_errinfo *);
mho_err mho_wire_effective(const mho_wire_options *, const double *, double *, mho_errinfo *);
const char *mho_wire_method_name(mho_wire_method);

mho_err mho_study_text(const mho_registry *, const char *, const char *, int, const char *const *, mho_study **,
                       mho_errinfo *);
mho_err mho_study_read(const mho_registry *, const char *, int, const char *const *, mho_study **, mho_errinfo *);
void mho_study_free(mho_study *);
const char *mho_study_name(const mho_study *);
char *mho_study_yaml(const mho_study *);
mho_err mho_study_train(const mho_context *, const mho_study *, const mho_registry *, const mho_study_options *,
                        mho_study_result *, mho_errinfo *);
const char *mho_plan_state_word(mho_plan_state);
'''
