; test raise sites=1
; test check

// The norm's shift is not in the padded rows: it cannot become a bias of the next product.
graph affine_before_padding {
  %x = input : f32[2, 5, 8]
  %gain = weight : f32[8]
  %shift = weight : f32[8]
  %n = layer_norm %x, %gain, %shift { eps = 1e-5 }
  %padded = pad %n { axis = 1, low = 0, high = 1, value = 0.0 }
  %qkv_weight = weight : f32[24, 8]
  %qkv_t = transpose %qkv_weight { order = [-1, -2] }
  %qkv_p = matmul %padded, %qkv_t
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
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %w = softmax %u { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
