"""The words in which the want of memory is said, to the run itself and to who reads its log."""

# of the host, in PyTorch's words
HOST = "DefaultCPUAllocator"
# of a device: PyTorch's words for CUDA's allocator and CUDA itself, its libraries', bitsandbytes'
DEVICE = (
    r"CUDA (?:(?:driver )?error: )?out of memory|_STATUS_ALLOC_FAILED|Error out of memory at line"
)
