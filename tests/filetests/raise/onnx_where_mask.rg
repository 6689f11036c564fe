; test raise sites=1
; test check

// A Where over a mask of integers, with a product of four axes.
graph onnx_where_mask {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %mask = input : i32[2, 6]
  %m = reshape %mask { shape = [2, 1, 1, 6] }
  %hidden = eq %m, 0
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %scaled = div %s, 2.0
  %masked = select %hidden, -3.4028234663852886e38, %scaled
  %w = softmax %masked { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
