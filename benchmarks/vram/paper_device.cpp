// A device that exists on paper: llama.cpp places, schedules and sizes for it as for one NVIDIA GPU, and nothing is ever computed.
//
// Why: the scheduler decides what a GPU holds (which inputs are copied, which weights are borrowed for large batches) before any kernel runs,
// so its decisions can be read without a GPU. What the CUDA backend tells the scheduler is restated here: alignment, row padding, room for
// f16 copies of a quantised cache behind the attention's result, and that it takes over host weights for batches of 32 rows and more.
//
//     paper_device MODEL GPU_LAYERS CONTEXT_OF_ALL_SLOTS SLOTS UBATCH KV_TYPE
#include "ggml-backend-impl.h"
#include "llama.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

constexpr size_t ALIGNMENT = 128;
constexpr int64_t ROW_PADDING = 512;
constexpr int64_t MIN_OFFLOADED_ROWS = 32;
constexpr size_t MEMORY = size_t(64) << 30;

ggml_backend_device device;
ggml_backend_reg registry;

// ---- buffers: addresses without memory behind them

const char * name_of_buffers(ggml_backend_buffer_type_t) { return "PAPER0"; }
void free_buffer(ggml_backend_buffer_t) {}
void * base(ggml_backend_buffer_t) { return reinterpret_cast<void *>(uintptr_t(1) << 40); }
void set_byte(ggml_backend_buffer_t, ggml_tensor *, uint8_t, size_t, size_t) {}
void set_tensor(ggml_backend_buffer_t, ggml_tensor *, const void *, size_t, size_t) {}
void get_tensor(ggml_backend_buffer_t, const ggml_tensor *, void * data, size_t, size_t size) { memset(data, 0, size); }
void clear(ggml_backend_buffer_t, uint8_t) {}
size_t alignment(ggml_backend_buffer_type_t) { return ALIGNMENT; }

ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, size_t size) {
    ggml_backend_buffer_i calls = {};
    calls.free_buffer = free_buffer;
    calls.get_base = base;
    calls.memset_tensor = set_byte;
    calls.set_tensor = set_tensor;
    calls.get_tensor = get_tensor;
    calls.clear = clear;
    return ggml_backend_buffer_init(type, calls, nullptr, size);
}

size_t with_f16_copy(size_t size, const ggml_tensor * cache) {
    return cache->type == GGML_TYPE_F16 ? size : GGML_PAD(size, ALIGNMENT) + ggml_nelements(cache) * 2;
}

size_t size_on_device(ggml_backend_buffer_type_t, const ggml_tensor * tensor) {
    size_t size = ggml_nbytes(tensor);
    if (tensor->op == GGML_OP_FLASH_ATTN_EXT) {
        size = with_f16_copy(with_f16_copy(size, tensor->src[1]), tensor->src[2]);
    }
    const int64_t beyond = tensor->ne[0] % ROW_PADDING;
    return ggml_is_quantized(tensor->type) && beyond ? size + ggml_row_size(tensor->type, ROW_PADDING - beyond) : size;
}

ggml_backend_buffer_type buffers = {};

// ---- the backend: takes every graph and computes none

const char * name_of_backend(ggml_backend_t) { return "PAPER0"; }
void free_backend(ggml_backend_t backend) { delete backend; }
void synchronize(ggml_backend_t) {}
ggml_status compute(ggml_backend_t, ggml_cgraph *) { return GGML_STATUS_SUCCESS; }

ggml_backend_t start(ggml_backend_dev_t, const char *) {
    static ggml_guid guid = {0x70, 0x61, 0x70, 0x65, 0x72};
    ggml_backend_i calls = {};
    calls.get_name = name_of_backend;
    calls.free = free_backend;
    calls.synchronize = synchronize;
    calls.graph_compute = compute;
    return new ggml_backend{&guid, calls, &device, nullptr};
}

// ---- the device

const char * name_of_device(ggml_backend_dev_t) { return "PAPER0"; }
const char * description(ggml_backend_dev_t) { return "a device on paper"; }
void memory(ggml_backend_dev_t, size_t * available, size_t * total) { *available = *total = MEMORY; }
enum ggml_backend_dev_type type(ggml_backend_dev_t) { return GGML_BACKEND_DEVICE_TYPE_GPU; }
ggml_backend_buffer_type_t buffer_type(ggml_backend_dev_t) { return &buffers; }
bool takes_every_operation(ggml_backend_dev_t, const ggml_tensor *) { return true; }
bool takes_own_buffers(ggml_backend_dev_t, ggml_backend_buffer_type_t other) { return other == &buffers; }

void properties(ggml_backend_dev_t, ggml_backend_dev_props * found) {
    *found = {};
    found->name = "PAPER0";
    found->description = description(nullptr);
    found->memory_free = found->memory_total = MEMORY;
    found->type = GGML_BACKEND_DEVICE_TYPE_GPU;
    found->caps.mmap_support = true;
}

int64_t rows(const ggml_tensor * operation) {
    switch (operation->op) {
        case GGML_OP_GET_ROWS: return 0;
        case GGML_OP_MUL_MAT: return operation->ne[1];
        case GGML_OP_ROPE: return operation->ne[2];
        default: return ggml_nrows(operation);
    }
}

bool takes_over(ggml_backend_dev_t, const ggml_tensor * operation) { return rows(operation) >= MIN_OFFLOADED_ROWS; }

const char * name_of_registry(ggml_backend_reg_t) { return "PAPER"; }
size_t device_count(ggml_backend_reg_t) { return 1; }
ggml_backend_dev_t device_at(ggml_backend_reg_t, size_t) { return &device; }
void * no_extension(ggml_backend_reg_t, const char *) { return nullptr; }

void make_device() {
    buffers.iface.get_name = name_of_buffers;
    buffers.iface.alloc_buffer = allocate;
    buffers.iface.get_alignment = alignment;
    buffers.iface.get_alloc_size = size_on_device;
    buffers.device = &device;
    device.iface.get_name = name_of_device;
    device.iface.get_description = description;
    device.iface.get_memory = memory;
    device.iface.get_type = type;
    device.iface.get_props = properties;
    device.iface.init_backend = start;
    device.iface.get_buffer_type = buffer_type;
    device.iface.supports_op = takes_every_operation;
    device.iface.supports_buft = takes_own_buffers;
    device.iface.offload_op = takes_over;
    device.reg = &registry;
    registry.api_version = GGML_BACKEND_API_VERSION;
    registry.iface.get_name = name_of_registry;
    registry.iface.get_device_count = device_count;
    registry.iface.get_device = device_at;
    registry.iface.get_proc_address = no_extension;
    ggml_backend_register(&registry);
}

llama_context_params as_the_server(uint32_t context, uint32_t slots, uint32_t ubatch, ggml_type kv) {
    llama_context_params wanted = llama_context_default_params();
    wanted.n_ctx = context;
    wanted.n_seq_max = wanted.n_outputs_max = slots;
    wanted.n_outputs_max_per_seq = 1;
    wanted.n_ubatch = ubatch;
    wanted.n_batch = ubatch > 512 ? ubatch : 512;
    wanted.type_k = wanted.type_v = kv;
    wanted.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    wanted.swa_full = false;
    return wanted;
}

}  // namespace

int main(int count, char ** words) {
    if (count != 7) {
        fprintf(stderr, "usage: %s MODEL GPU_LAYERS CONTEXT_OF_ALL_SLOTS SLOTS UBATCH f16|q8_0\n", words[0]);
        return 2;
    }
    make_device();
    llama_model_params how = llama_model_default_params();
    how.n_gpu_layers = atoi(words[2]);
    how.use_extra_bufts = false;
    llama_model * model = llama_model_load_from_file(words[1], how);
    const ggml_type kv = std::string(words[6]) == "q8_0" ? GGML_TYPE_Q8_0 : GGML_TYPE_F16;
    llama_context * context = model ? llama_init_from_model(model, as_the_server(atoi(words[3]), atoi(words[4]), atoi(words[5]), kv)) : nullptr;
    return context ? 0 : 1;
}
