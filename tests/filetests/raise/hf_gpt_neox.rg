; test raise sites=1
; test check

// GPT-NeoX of Hugging Face: baddbmm on heads folded into the batch, norm factor as alpha, rotated halves.
graph hf_gpt_neox {
  %x = input : f32[2, 6, 8]
  %qkv_weight = weight : f32[24, 8]
  %qkv_t = transpose %qkv_weight { order = [-1, -2] }
  %qkv_p = matmul %x, %qkv_t
  %qkv_bias = weight : f32[24]
  %qkv_out = add %qkv_p, %qkv_bias
  %r0 = reshape %qkv_out { shape = [2, 6, 2, 12] }
  %r = transpose %r0 { order = [-4, -2, -3, -1] }
  %q0 = slice %r { axis = -1, start = 0, stop = 4, step = 1 }
  %k0 = slice %r { axis = -1, start = 4, stop = 8, step = 1 }
  %v = slice %r { axis = -1, start = 8, stop = 12, step = 1 }
  %cos = weight : f32[6, 4]
  %sin = weight : f32[6, 4]
  %qa = slice %q0 { axis = -1, start = 0, stop = 2, step = 1 }
  %qb = slice %q0 { axis = -1, start = 2, stop = 4, step = 1 }
  %q_neg = neg %qb
  %q_rot = concat %q_neg, %qa { axis = -1 }
  %q_cos = mul %q0, %cos
  %q_sin = mul %q_rot, %sin
  %q = add %q_cos, %q_sin
  %ka = slice %k0 { axis = -1, start = 0, stop = 2, step = 1 }
  %kb = slice %k0 { axis = -1, start = 2, stop = 4, step = 1 }
  %k_neg = neg %kb
  %k_rot = concat %k_neg, %ka { axis = -1 }
  %k_cos = mul %k0, %cos
  %k_sin = mul %k_rot, %sin
  %k = add %k_cos, %k_sin
  %q3 = reshape %q { shape = [4, 6, 4] }
  %k3 = reshape %k { shape = [4, 6, 4] }
  %zeros = const { value = 0.0 } : f32[4, 6, 6]
  %kt = transpose %k3 { order = [-1, -2] }
  %product = matmul %q3, %kt
  %alpha = mul %product, 0.5
  %s3 = add %zeros, %alpha
  %s = reshape %s3 { shape = [2, 2, 6, 6] }
  %row = iota { axis = 0 } : i32[6, 1]
  %column = iota { axis = 1 } : i32[1, 6]
  %causal = le %column, %row
  %seen = select %causal, %s, -3.4028234663852886e38
  %w = softmax %seen { axis = -1 }
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
