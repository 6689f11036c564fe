; test raise sites=1
; test check

// A block in front: LayerNorm as ReduceMean, Sub, Mul, ReduceMean, Add, Sqrt, Div, Mul, Add.
graph onnx_decomposed_norm {
  %x = input : f32[2, 6, 8]
  %mean = reduce %x { op = mean, axis = -1 }
  %centred = sub %x, %mean
  %squares = mul %centred, %centred
  %variance = reduce %squares { op = mean, axis = -1 }
  %safe = add %variance, 1e-5
  %deviation = sqrt %safe
  %unit = div %centred, %deviation
  %gain = weight : f32[8]
  %shift = weight : f32[8]
  %gained = mul %unit, %gain
  %normed = add %gained, %shift
  %qkv_weight = weight : f32[24, 8]
  %qkv_t = transpose %qkv_weight { order = [-1, -2] }
  %qkv_p = matmul %normed, %qkv_t
  %qkv_bias = weight : f32[24]
  %qkv_out = add %qkv_p, %qkv_bias
  %r = reshape %qkv_out { shape = [2, 6, 3, 2, 4] }
  %t = transpose %r { order = [-3, -5, -2, -4, -1] }
  %q0 = slice %t { axis = 0, start = 0, stop = 1, step = 1 }
  %k0 = slice %t { axis = 0, start = 1, stop = 2, step = 1 }
  %v0 = slice %t { axis = 0, start = 2, stop = 3, step = 1 }
  %q = reshape %q0 { shape = [2, 2, 6, 4] }
  %k = reshape %k0 { shape = [2, 2, 6, 4] }
  %v = reshape %v0 { shape = [2, 2, 6, 4] }
  %kt = transpose %k { order = [-1, -2] }
  %q_scaled = mul %q, 0.5
  %s = matmul %q_scaled, %kt
  %w = softmax %s { axis = -1 }
  %o = matmul %w, %v
  %merged_view = transpose %o { order = [-4, -2, -3, -1] }
  %merged = reshape %merged_view { shape = [2, 6, 8] }
  %proj_weight = weight : f32[8, 8]
  %proj_t = transpose %proj_weight { order = [-1, -2] }
  %proj_p = matmul %merged, %proj_t
  %proj_bias = weight : f32[8]
  %proj_out = add %proj_p, %proj_bias
  %y = add %x, %proj_out
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
