; test raise sites=1
; test check

// LeViT: narrow keys and wide values from one projection with split sizes, bias per head, hardswish behind.
graph levit {
  %x = input : f32[2, 6, 8]
  %qkv_weight = weight : f32[32, 8]
  %qkv_t = transpose %qkv_weight { order = [-1, -2] }
  %qkv_p = matmul %x, %qkv_t
  %scale = weight : f32[32]
  %shift = weight : f32[32]
  %bn0 = mul %qkv_p, %scale
  %bn = add %bn0, %shift
  %r = reshape %bn { shape = [2, 6, 2, 16] }
  %q0 = slice %r { axis = -1, start = 0, stop = 4, step = 1 }
  %k0 = slice %r { axis = -1, start = 4, stop = 8, step = 1 }
  %v0 = slice %r { axis = -1, start = 8, stop = 16, step = 1 }
  %q = transpose %q0 { order = [-4, -2, -3, -1] }
  %kt = transpose %k0 { order = [-4, -2, -1, -3] }
  %v = transpose %v0 { order = [-4, -2, -3, -1] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %biases = weight : f32[2, 6, 6]
  %biased = add %scaled, %biases
  %w = softmax %biased { axis = -1 }
  %o = matmul %w, %v
  %back = transpose %o { order = [-4, -2, -3, -1] }
  %merged = reshape %back { shape = [2, 6, 16] }
  %plus = add %merged, 3.0
  %low = max %plus, 0.0
  %high = min %low, 6.0
  %gate = div %high, 6.0
  %swish = mul %merged, %gate
  %proj_weight = weight : f32[8, 16]
  %proj_t = transpose %proj_weight { order = [-1, -2] }
  %proj_p = matmul %swish, %proj_t
  return %proj_p
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %proj_p within 1e-5 of the reference
