; test raise sites=1
; test check

// A reshape to [b, h, n, d] where a transpose belongs: other numbers in every head.
graph reshape_for_transpose {
  %q0 = input : f32[2, 6, 8]
  %k0 = input : f32[2, 6, 8]
  %v0 = input : f32[2, 6, 8]
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
