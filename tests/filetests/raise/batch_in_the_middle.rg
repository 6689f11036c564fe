; test raise sites=1
; test check

// Time first, batch second, heads by reshape: [n, b, h, d] all the way.
graph batch_in_the_middle {
  %q0 = input : f32[6, 2, 2, 4]
  %k0 = input : f32[6, 2, 2, 4]
  %v0 = input : f32[6, 2, 2, 4]
  %q = transpose %q0 { order = [-3, -2, -4, -1] }
  %kt = transpose %k0 { order = [-3, -2, -1, -4] }
  %v = transpose %v0 { order = [-3, -2, -4, -1] }
  %s = matmul %q, %kt
  %scaled = mul %s, 0.5
  %w = softmax %scaled { axis = -1 }
  %o = matmul %w, %v
  %y = transpose %o { order = [-2, -4, -3, -1] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
