"""Measured constants: what suits the machines there are, not what the mathematics asks for.

Each names the benchmark that shows what it decides: ``python -m bench NAME``. None changes a result
but by rounding. Those that kernels are compiled for stand in `kernels/shapes.py`.
"""

# --- Threads (bench: threads) ---
# Below so many multiplications, handing them to threads takes longer than it saves: for a pass over
# rows, for a whole training, and for a step of it.
PRODUCTS_WORTH_A_THREAD = 4_000_000
# The same for a prediction, whose threads start and end with it, on a CPU that has slept; and for
# what else starts threads anew.
PRODUCTS_OF_A_PREDICTION_WORTH_A_THREAD = 40_000_000
PRODUCTS_WORTH_A_TEAM = 20_000_000
PRODUCTS_OF_A_STEP_WORTH_A_TEAM = 150_000
# Few enough that no thread is left with much when the others are done.
BLOCKS_PER_THREAD = 4

# --- Calls of kernels (bench: interrupt) ---
# Compiled code doesn't look for interrupts: these are looked for between two calls. Long enough
# that returning to Python costs next to nothing, short enough that they are answered at once.
SECONDS_PER_CALL = 0.1
PRODUCTS_PER_CALL = 200_000_000
PRODUCTS_OF_THE_FIRST_CALL = 20_000_000
LARGEST_GROWTH_OF_A_CALL = 8.0
EPOCHS_PER_CALL = 1 << 14

# --- Tiles and chunks of rows (bench: roofline) ---
# A tile of rows is read twice, forward and backward: it is to stay in the first-level cache, and so
# are its logits. Very long rows are taken by sixteen all the same.
TILE_BYTES = 1 << 15
LOGITS_BYTES = 1 << 15
FEWEST_TILE_ROWS, MOST_TILE_ROWS = 16, 256
# Features that lie column by column are read in pieces of some cache lines at least, and the tile
# and the next one stay in the second-level cache.
COLUMN_ROWS = 128
COLUMNS_BYTES = 1 << 19
# Fewer products than this in a batch are no work for two threads: it isn't cut.
PRODUCTS_WORTH_CUTTING = 150_000
# What exponentials and the like of a class cost, in multiplications.
PRODUCTS_PER_CLASS = 100
# Summing the chunks' gradients costs about as much as a row of each.
CHUNK_ROWS = 128
MOST_CHUNKS = 64
GRADIENTS_BYTES = 1 << 21
# Of as many tiles a gradient may be summed in float32.
MOST_TILES_IN_A_CHUNK = 64
# Of sparse rows, tiles hold logits and slopes alone.
SPARSE_TILE_BYTES = 1 << 15
MOST_SPARSE_TILE_ROWS = 32
# An element costs about as much as so many of a dense row, whose parameters are in the cache.
PRODUCTS_PER_SPARSE_ELEMENT = 8
# Backward, sparse rows are taken by columns, in panels: the slopes of their rows are to stay in the
# cache, and a feature is to have some elements in each, since each writes a gradient of its own.
SLOPES_OF_A_PANEL = 1 << 19
ELEMENTS_OF_A_FEATURE = 4
# Of a panel, times the columns of a model; see `PRODUCTS_PER_CALL`.
ELEMENTS_PER_CALL = 1 << 25

# --- Shuffled orders (bench: variants) ---
# Of a block and of a window. At least 256 blocks make up a window.
BLOCK_BYTES, MOST_BLOCK_BITS = 1 << 11, 5
WINDOW_BYTES, FEWEST_WINDOW_BITS, MOST_WINDOW_BITS = 1 << 19, 8, 13

# --- Exact solvers (bench: choices) ---
# Where what a solver needs beside its passes over the rows takes as many products as so many
# passes, the next exact one is as fast as a rule.
MOST_PASSES_BESIDE = 150
# The same for second derivatives of sparse rows: above, Newton's method does without them. Paths of
# many fits share them.
MOST_PASSES_BESIDE_SPARSE_ONES, MOST_PASSES_BESIDE_SPARSE_PATHS = 15, 60
# Elements of a sparse feature, on average, up to which that takes less time than L-BFGS, because it
# goes over fewer vectors of all unknowns, though over the rows more often.
MOST_ELEMENTS_OF_A_RARE_FEATURE = 64
# The rows' squared norms times their weight over the L2 penalty, and elements of a feature, both on
# average, up to which dual coordinate ascent is a faster way to near the optimum (bench:
# dual-ascent).
LARGEST_CURVATURE_OF_DUAL_ASCENT = 16.0
MOST_ELEMENTS_FOR_DUAL_ASCENT = 80
# Features times columns of a model, and columns, from which products by BLAS take less time than
# fused passes.
PRODUCTS_WORTH_BLAS, COLUMNS_WORTH_BLAS = 60_000, 32
# The same as below, of such passes.
MOST_PRODUCTS_BY_BLAS = 100_000_000_000
# Products of a pass from which an exact solver takes minutes.
MOST_PRODUCTS_OF_NEWTON = 100_000_000_000
MOST_PRODUCTS_OF_LBFGS = 10_000_000_000
# Unknowns up to which Newton's method runs in compiled code: above, what Python takes between steps
# is little, and LAPACK is faster.
MOST_UNKNOWNS_OF_COMPILED_STEPS = 160
# Unknowns up to which second derivatives between classes are taken, without and with an L1 penalty.
MOST_UNKNOWNS_BETWEEN_CLASSES = 160
MOST_UNKNOWNS_BETWEEN_CLASSES_WITH_L1 = 800
# With an L1 penalty, columns of features are gone over instead: where second derivatives between
# classes are taken, if the square of the unknowns is more than so many times the rows; where they
# aren't, if there are fewer rows than so many for each feature.
SQUARED_UNKNOWNS_PER_ROW_OF_COLUMNS = 75
ROWS_PER_FEATURE_OF_COLUMNS = 8
# Products for a class from which a step's second derivatives are taken over chosen rows.
PRODUCTS_WORTH_CHOOSING_ROWS = 50_000_000
# So many products of second derivatives, or of factoring them, take as long as one of a pass over
# rows, the start and end of a thread included.
PRODUCTS_OF_SQUARES_PER_PRODUCT = 25

# --- Mini-batch gradient descent (bench: classifier) ---
MOST_ROWS_OF_A_FULL_BATCH = 1_000
BATCHES_PER_EPOCH = 128
SMALLEST_BATCH, LARGEST_BATCH, LARGEST_SPARSE_BATCH = 16, 1_024, 64
MOST_FEATURES_ROTATED = 256
# The largest eigenvalue of the features' correlations from which the epochs that a rotation saves
# are worth its time, and the largest features that are copied for it.
MUCH_IN_COMMON = 8.0
MOST_NUMBERS_COPIED = 1 << 27
