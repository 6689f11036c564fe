; test raise sites=1
; test check

// GPT-2 of Hugging Face: Conv1D weights, split by slices, causal where, then the mask.
graph hf_gpt2 {
  %x = input : f32[2, 6, 8]
  %c_attn = weight : f32[8, 24]
  %c_bias = weight : f32[24]
  %p = matmul %x, %c_attn
  %qkv = add %p, %c_bias
  %query_out = slice %qkv { axis = -1, start = 0, stop = 8, step = 1 }
  %key_out = slice %qkv { axis = -1, start = 8, stop = 16, step = 1 }
  %value_out = slice %qkv { axis = -1, start = 16, stop = 24, step = 1 }
  %q_view = reshape %query_out { shape = [2, 6, 2, 4] }
  %q = transpose %q_view { order = [-4, -2, -3, -1] }
  %k_view = reshape %key_out { shape = [2, 6, 2, 4] }
  %k = transpose %k_view { order = [-4, -2, -3, -1] }
  %v_view = reshape %value_out { shape = [2, 6, 2, 4] }
  %v = transpose %v_view { order = [-4, -2, -3, -1] }
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %scaled = div %s, 2.0
  %row = iota { axis = 2 } : i32[1, 1, 6, 1]
  %column = iota { axis = 3 } : i32[1, 1, 1, 6]
  %causal = le %column, %row
  %lowest = const { value = -3.4028234663852886e38 } : f32[]
  %seen = select %causal, %scaled, %lowest
  %attention_mask = input : f32[2, 1, 1, 6]
  %masked = add %seen, %attention_mask
  %w = softmax %masked { axis = -1 }
  %o = matmul %w, %v
  %merged_view = transpose %o { order = [-4, -2, -3, -1] }
  %merged = reshape %merged_view { shape = [2, 6, 8] }
  %proj_weight = weight : f32[8, 8]
  %proj_t = transpose %proj_weight { order = [-1, -2] }
  %proj_p = matmul %merged, %proj_t
  %proj_bias = weight : f32[8]
  %proj_out = add %proj_p, %proj_bias
  return %proj_out
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %proj_out within 1e-5 of the reference
