; test raise sites=1
; test check

// The bias is in units of the unscaled scores: added first, then everything is scaled.
graph flax_bias_before_scale {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %bias = weight : f32[2, 6, 6]
  %kt = transpose %k { order = [-1, -2] }
  %s = matmul %q, %kt
  %biased = add %bias, %s
  %scaled = mul %biased, 0.5
  %w = softmax %scaled { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
