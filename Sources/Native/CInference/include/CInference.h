#pragma once
#include "inference.pb-c.h"

// Swift sees a constant of C by value; messages need the one place where it lies.
#define MW_DESCRIPTOR(name) \
    static inline const ProtobufCMessageDescriptor *mw_##name(void) { return &inference__##name##__descriptor; }

MW_DESCRIPTOR(server_live_response)
MW_DESCRIPTOR(server_ready_response)
MW_DESCRIPTOR(server_metadata_response)
MW_DESCRIPTOR(model_ready_request)
MW_DESCRIPTOR(model_ready_response)
MW_DESCRIPTOR(model_metadata_response)
MW_DESCRIPTOR(model_metadata_response__tensor_metadata)
MW_DESCRIPTOR(infer_parameter)
MW_DESCRIPTOR(infer_tensor_contents)
MW_DESCRIPTOR(model_infer_request)
MW_DESCRIPTOR(model_infer_response)
MW_DESCRIPTOR(model_infer_response__infer_output_tensor)
MW_DESCRIPTOR(model_infer_response__parameters_entry)
MW_DESCRIPTOR(model_stream_infer_response)
MW_DESCRIPTOR(model_config)
MW_DESCRIPTOR(model_config_response)
MW_DESCRIPTOR(model_version_policy)
MW_DESCRIPTOR(model_version_policy__latest)
MW_DESCRIPTOR(model_version_policy__all)
MW_DESCRIPTOR(model_version_policy__specific)
MW_DESCRIPTOR(model_input)
MW_DESCRIPTOR(model_output)
MW_DESCRIPTOR(model_instance_group)
MW_DESCRIPTOR(model_dynamic_batching)
MW_DESCRIPTOR(statistic_duration)
MW_DESCRIPTOR(infer_statistics)
MW_DESCRIPTOR(infer_batch_statistics)
MW_DESCRIPTOR(memory_usage)
MW_DESCRIPTOR(model_statistics)
MW_DESCRIPTOR(model_statistics_response)
MW_DESCRIPTOR(repository_index_request)
MW_DESCRIPTOR(repository_index_response)
MW_DESCRIPTOR(repository_index_response__model_index)
MW_DESCRIPTOR(repository_model_load_request)

#undef MW_DESCRIPTOR
