; test raise sites=1
; test check

// Swin's shifted windows: table of relative positions gathered, then the mask of each window.
graph swin_window_bias_mask {
  %x = input : f32[4, 4, 8]
  %qkv_weight = weight : f32[24, 8]
  %qkv_t = transpose %qkv_weight { order = [-1, -2] }
  %qkv_p = matmul %x, %qkv_t
  %qkv_bias = weight : f32[24]
  %qkv_out = add %qkv_p, %qkv_bias
  %r = reshape %qkv_out { shape = [4, 4, 3, 2, 4] }
  %t = transpose %r { order = [-3, -5, -2, -4, -1] }
  %q0 = slice %t { axis = 0, start = 0, stop = 1, step = 1 }
  %k0 = slice %t { axis = 0, start = 1, stop = 2, step = 1 }
  %v0 = slice %t { axis = 0, start = 2, stop = 3, step = 1 }
  %q = reshape %q0 { shape = [4, 2, 4, 4] }
  %k = reshape %k0 { shape = [4, 2, 4, 4] }
  %v = reshape %v0 { shape = [4, 2, 4, 4] }
  %q_scaled = mul %q, 0.5
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q_scaled, %kt
  %table = weight : f32[9, 2]
  %qr = iota { axis = 0 } : i32[2, 1, 1, 1]
  %qc = iota { axis = 1 } : i32[1, 2, 1, 1]
  %kr = iota { axis = 2 } : i32[1, 1, 2, 1]
  %kc = iota { axis = 3 } : i32[1, 1, 1, 2]
  %dr = sub %qr, %kr
  %dc = sub %qc, %kc
  %r0 = add %dr, 1
  %c0 = add %dc, 1
  %r3 = mul %r0, 3
  %i = add %r3, %c0
  %index = reshape %i { shape = [16] }
  %rows = gather %table, %index
  %square = reshape %rows { shape = [4, 4, 2] }
  %bias0 = transpose %square { order = [-1, -3, -2] }
  %bias = reshape %bias0 { shape = [1, 2, 4, 4] }
  %biased = add %s, %bias
  %region = weight : f32[2, 4]
  %a = reshape %region { shape = [2, 1, 4] }
  %b = reshape %region { shape = [2, 4, 1] }
  %same = eq %a, %b
  %mask0 = select %same, 0.0, -100.0
  %mask = reshape %mask0 { shape = [1, 2, 1, 4, 4] }
  %windows = reshape %biased { shape = [2, 2, 2, 4, 4] }
  %masked = add %windows, %mask
  %flat = reshape %masked { shape = [4, 2, 4, 4] }
  %w = softmax %flat { axis = -1 }
  %o = matmul %w, %v
  %merged_view = transpose %o { order = [-4, -2, -3, -1] }
  %merged = reshape %merged_view { shape = [4, 4, 8] }
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
